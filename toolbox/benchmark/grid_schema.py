"""The schema of a file, be it a config or a grid: what an editor reads by a file's first line."""

from __future__ import annotations

import json
from typing import Any

from toolbox.assembly.schema import schema
from toolbox.assembly.schema_values import Schema, of_annotation
from toolbox.benchmark.grid import BELOW, KEYS


def schema_of_files() -> Schema:
    """`schema()`, and a grid's for a file that has `axes`, which no config has."""
    made = schema()
    definitions = {**made.pop("definitions"), "grid": _grid()}
    config = {key: made.pop(key) for key in ("if", "then", "else")}
    made |= {"if": {"required": ["axes"]}, "then": {"$ref": "#/definitions/grid"}, "else": config}
    return {**made, "definitions": definitions}


def schema_text() -> str:
    """That as a file, one definition a line."""
    made = schema_of_files()
    lines = [f"{json.dumps(key)}: {_compact(each)}" for key, each in made.pop("definitions").items()]
    return f'{_compact(made)[:-1]},"definitions":{{\n' + ",\n".join(lines) + "\n}}\n"


def _grid() -> Schema:
    properties = {key: of_annotation(wanted, _anything, _anything, partial=False) for key, wanted in KEYS.items()}
    for key, below in BELOW.items():
        inner = {name: of_annotation(wanted, _anything, _anything, partial=False) for name, wanted in below.items()}
        properties[key] = {"type": "object", "properties": inner, "additionalProperties": False}
    properties["halving"]["required"] = list(BELOW["halving"])
    properties["axes"]["minProperties"] = 1
    return {"type": "object", "properties": properties, "required": ["axes"], "additionalProperties": False}


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _anything(kind: str) -> Schema:
    return {}

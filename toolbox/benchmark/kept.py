"""Files that runs leave for the commands that continue them, read with their types looked over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from toolbox.config.values import misfit
from toolbox.io.errors import UserError
from toolbox.io.files import read_json

NUMBER = float | Literal["nan", "inf", "-inf"]
"""JSON has no infinities: they are written as text."""
REPORT: dict[str, Any] = {
    "rows": dict[str, dict[str, NUMBER]],
    "protocols": dict[str, str],
    "higher_is_better": dict[str, bool],
}
CUT: dict[str, Any] = {"iteration": int}
RUNGS: dict[str, Any] = {"kept": list[str]}


def read_typed(path: Path, wanted: Mapping[str, Any], others: Any = Any) -> dict[str, Any]:
    """A JSON file whose keys have these types, and all others `others`; empty where there is none.

    Raises:
        UserError: it is damaged.
    """
    found = read_json(path) if path.is_file() else {}
    for key, value in found.items():
        kind = wanted.get(key, others)
        wrong = None if kind is Any else misfit(value, kind)
        if wrong:
            raise UserError(f"{path}: is damaged: {key}{wrong.path}: {wrong}; remove it to have it made anew")
    return found

"""A short YAML of what differs from a recipe, with a comment where a value wants one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import yaml

WIDE = 118
DELETE = "_delete_"


def changes(
    old: Mapping[str, Any], new: Mapping[str, Any], shown: Collection[str] = (), path: str = ""
) -> dict[str, Any]:
    """What a file must write so that laid over `old` it gives `new`: mappings merge, everything else is replaced.

    `shown` are dotted paths that it writes though they are the same.
    """
    found: dict[str, Any] = {}
    for key, value in new.items():
        here = f"{path}.{key}" if path else key
        if key not in old or here in shown:
            found[key] = value
        elif isinstance(value, Mapping) and isinstance(old[key], Mapping):
            gone = [name for name in old[key] if name not in value]
            if gone:
                found[key] = {DELETE: True, **value}
            elif below := changes(old[key], value, shown, here):
                found[key] = below
        elif repr(value) != repr(old[key]):  # repr tells 1 from 1.0 and True
            found[key] = value
    return found


def written(data: Mapping[str, Any], why: Mapping[str, str]) -> str:
    """The lines of a YAML; `why` has the comment that stands behind a value, by its dotted path."""
    lines: list[str] = []
    _lines(lines, data, why, "", 0)
    return "\n".join(lines) + "\n"


def flow(value: Any) -> str:
    """A value on one line, as the toolbox reads it: text that it would take for something else is quoted."""
    text = yaml.dump(
        value, Dumper=_Quoting, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text.removesuffix("\n").removesuffix("\n...")


class _Quoting(yaml.SafeDumper):
    """Writes `1e-4` and `None`, where they are text, in quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        """Whatever is written twice is written out twice."""
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain = _UNMISTAKABLE.fullmatch(value) is not None and value.lower().lstrip(".") not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else "'")


_UNMISTAKABLE = re.compile(r"[A-Za-z_./~][\w./ -]*[A-Za-z0-9_/]|[A-Za-z]|")
_WORDS = ("none", "null", "true", "false", "yes", "no", "on", "off", "inf", "nan", "~", "")
_Quoting.add_representer(str, _text)


def _lines(lines: list[str], data: Mapping[str, Any], why: Mapping[str, str], path: str, deep: int) -> None:
    room = "  " * deep
    for key, value in data.items():
        here = f"{path}.{key}" if path else key
        note = f"  # {why[here]}" if here in why else ""
        told = any(each.startswith(f"{here}.") for each in why)
        line = f"{room}{flow(key)}: {flow(value)}{note}"
        if isinstance(value, Mapping) and value and (told or not deep or len(line) > WIDE):
            lines.append(f"{room}{flow(key)}:{note}")
            _lines(lines, value, why, here, deep + 1)
        elif isinstance(value, list) and value and len(line) > WIDE:
            lines.append(f"{room}{flow(key)}:{note}")
            lines += [f"{room}  - {flow(each)}" for each in value]
        else:
            lines.append(line)

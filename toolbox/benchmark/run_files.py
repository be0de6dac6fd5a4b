"""What a training writes anyway, read while it goes on or later: curves, sheets of samples, verdicts, its table."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolbox.config.yaml_loader import parse_yaml
from toolbox.io.errors import UserError
from toolbox.io.files import open_regular

MOST_POINTS, SHOWN_POINTS = 8_000, 600
"""Points of a curve that are kept, and that are sent; of more, every second one goes."""
TAIL = 256 << 10
"""Bytes of the health log that are read, from its end."""
LONGEST_LINE = 1 << 20
VERDICTS = 12
_CONFIG = 1 << 20


@dataclass
class Curves:
    """The scalars of a run, read on from where reading ended."""

    folder: Path
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    last: int = 0
    seconds: float | None = None
    """Of an iteration, on average, since the training began or went on."""
    _read: dict[str, int] = field(default_factory=dict)

    def refresh(self) -> Curves:
        """Read what was added. A training that went on from an earlier iteration has its curves from there."""
        for file in sorted(self.folder.glob("*/vis_data/scalars.json")):
            self._read_on(file)
        return self

    def _read_on(self, file: Path) -> None:
        start = self._read.get(str(file), 0)
        try:
            with open_regular(file) as opened:
                opened.seek(start)
                first = start == 0
                while line := opened.readline(LONGEST_LINE):
                    if not line.endswith(b"\n"):  # it is being written
                        break
                    start = opened.tell()
                    first = not self._take(line, first) and first
        except (OSError, UserError):  # it went, or is none
            return
        self._read[str(file)] = start

    def _take(self, line: bytes, first: bool) -> bool:
        """One line; whether it held values. The first of a file ends what earlier files said of later iterations."""
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            return False
        step = found.pop("step", None) if isinstance(found, dict) else None
        if not isinstance(step, int):
            return False
        if first:
            for name, points in self.curves.items():
                self.curves[name] = [point for point in points if point[0] < step]
        self.last = step if first else max(self.last, step)
        for name, value in found.items():
            if not _finite(value):
                continue
            if name == "time":
                self.seconds = float(value)
                continue
            points = self.curves.setdefault(str(name), [])
            points.append((step, float(value)))
            if len(points) > MOST_POINTS:
                del points[1:-1:2]
        return True

    def points(self, name: str) -> list[tuple[int, float]]:
        """A curve, thinned out to what a screen shows; its last point stays."""
        points = self.curves.get(name, [])
        stride = max(1, -(-len(points) // SHOWN_POINTS))
        kept = points[::stride]
        return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]


def health(folder: Path) -> dict[str, Any] | None:
    """What the health monitor says: of the newest look, and its last remarks; None where no monitor watches."""
    entries = [entry for entry in _tail(folder / "health.jsonl") if isinstance(entry.get("iteration"), int)]
    if not entries:
        return None
    open_ = entries[-1].get("open")
    remarks = [
        [entry["iteration"], str(text)[:500]]
        for entry in entries if isinstance(entry.get("verdicts"), list)
        for text in entry["verdicts"] if isinstance(text, str)
    ]  # fmt: skip
    now = [str(text)[:500] for text in open_.values()] if isinstance(open_, Mapping) else []
    return {"iteration": entries[-1]["iteration"], "now": now, "remarks": remarks[-VERDICTS:]}


def _tail(file: Path) -> list[dict[str, Any]]:
    try:
        with open_regular(file) as opened:
            size = opened.seek(0, 2)
            opened.seek(max(0, size - TAIL))
            lines = opened.read(TAIL).splitlines()[1 if size > TAIL else 0 :]
    except (OSError, UserError):
        return []
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):  # it is being written
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


def config_of(folder: Path) -> dict[str, Any]:
    """A run's config; empty where it cannot be read."""
    try:
        with open_regular(folder / "config.yaml") as file:
            return parse_yaml(file.read(_CONFIG).decode(), "config.yaml")
    except (OSError, UserError, UnicodeDecodeError):
        return {}


def section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A section of a config that anybody may have written; empty where it is none."""
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}


def number(config: Mapping[str, Any], name: str, key: str) -> int | None:
    """A whole number of a section; None where it is none."""
    value = section(config, name).get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def rows_of(folder: Path) -> dict[str, dict[str, float]]:
    """The table of a run that has ended."""
    try:
        with open_regular(folder / "report.json") as file:
            found = json.loads(file.read(_CONFIG))
    except (OSError, UserError, ValueError, RecursionError):
        return {}
    rows = found.get("rows") if isinstance(found, dict) else None
    made: dict[str, dict[str, float]] = {}
    for name, values in (rows if isinstance(rows, dict) else {}).items():
        if isinstance(values, dict):
            made[str(name)] = {str(k): v for k, v in values.items() if _finite(v)}
    return made


def _finite(value: Any) -> bool:
    """Whether it is a number that a curve or a table can hold; JSON knows whole numbers of any length."""
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max

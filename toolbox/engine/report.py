"""A run's report: what was measured, by which protocol, on which iteration; as a table, JSON and Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, isinf
from pathlib import Path
from typing import Any

from rich.table import Table

from toolbox.contracts.metric import DO_NOTHING
from toolbox.io.console import console
from toolbox.io.files import replace_text
from toolbox.plugins.manager import manager


@dataclass
class Report:
    """Rows of results; the do-nothing baseline stands first. `notes` say what a reader must not overlook."""

    title: str
    protocols: dict[str, str] = field(default_factory=dict)
    rising: dict[str, bool] = field(default_factory=dict)
    """Of each metric, whether higher is better."""
    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, row: str, metrics: Mapping[str, float]) -> None:
        """Record a row; what was measured for the do-nothing output becomes a row of its own."""
        suffix = f"/{DO_NOTHING}"
        baseline = {name.removesuffix(suffix): value for name, value in metrics.items() if name.endswith(suffix)}
        if baseline:
            self.rows.setdefault("do nothing", baseline)
        self.rows[row] = {name: float(value) for name, value in metrics.items() if not name.endswith(suffix)}

    def infinite(self) -> list[str]:
        """The metrics whose mean says nothing, since a picture came out exactly: PSNR's of a picture of one colour."""
        return [name for name in self.columns() if any(isinf(row.get(name, 0.0)) for row in self.rows.values())]

    def columns(self) -> list[str]:
        """Every metric of every row, in order of appearance."""
        return list(dict.fromkeys(name for row in self.rows.values() for name in row))

    def print(self) -> None:
        """Show the table, with the gain over doing nothing."""
        table = Table(title=self.title, caption=", ".join(self.protocols.values()) or None)
        for note in self.notes:
            console.print(note, style="bad", soft_wrap=True)
        table.add_column("")
        for name in self.columns():
            table.add_column(name, justify="right")
        for row, values in self.rows.items():
            table.add_row(row, *(self._cell(row, name, values) for name in self.columns()))
        console.print(table)

    def _cell(self, row: str, name: str, values: Mapping[str, float]) -> str:
        if name not in values:
            return ""
        baseline = self.rows.get("do nothing", {}).get(name)
        small = max(abs(values[name]), abs(baseline or 0)) < 0.1  # a KID is
        gained = values[name] - baseline if baseline is not None else float("nan")
        gain = f" ({gained:+.{4 if small else 2}f})" if isfinite(gained) else ""
        return f"{values[name]:.{5 if small else 3}f}{'' if row == 'do nothing' else gain}"

    def write(self, folder: Path) -> None:
        """Write `report.json` and `report.md`, then let plugins add their own formats."""
        content = {
            "kind": "run",
            "title": self.title,
            "protocols": self.protocols,
            "higher_is_better": self.rising,
            "rows": self.rows,
            "notes": self.notes,
            **self.facts,
            "plugins": manager().versions(),
        }
        replace_text(folder / "report.json", json.dumps(strict(content), indent=2, allow_nan=False) + "\n")
        names = self.columns()
        notes = [line for note in self.notes for line in (f"**{note}**", "")]
        lines = [f"# {self.title}", "", *notes, f"| | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
        lines += [f"| {row} | {' | '.join(self._cell(row, n, v) for n in names)} |" for row, v in self.rows.items()]
        lines += ["", "Protocols: " + ", ".join(f"`{protocol}`" for protocol in self.protocols.values()), ""]
        replace_text(folder / "report.md", "\n".join(lines))
        manager().call("report_ready", report=content, folder=folder)


def strict(value: Any) -> Any:
    """The same without infinities and NaN, which JSON has not: they become text."""
    if isinstance(value, Mapping):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strict(item) for item in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value

"""What `evaluate` found: one table for the screen, CSV, JSON and Markdown, its protocols under it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite
from pathlib import Path

from rich.table import Table

from toolbox.io.console import console
from toolbox.io.csv_text import csv_text
from toolbox.io.files import replace_text

NAMED = 5
SHOWN = 200
"""Rows on the screen: films have thousands of frames."""
MEAN, SETS = "mean", "both sets"


@dataclass
class Prices:
    """What was measured: for each image by name a value of each metric, and the protocol of each metric."""

    protocols: dict[str, str]
    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    """Images of either folder that have no partner."""
    sets: dict[str, float] = field(default_factory=dict)
    """What was measured of both folders as a whole."""

    def means(self) -> dict[str, float]:
        """The mean over images of each metric of an image."""
        names = [name for name in self.protocols if name not in self.sets] if self.rows else []
        return {name: sum(row[name] for row in self.rows.values()) / len(self.rows) for name in names}

    def summary(self) -> dict[str, dict[str, float]]:
        """What stands below the images: the means, and what is known of whole sets alone."""
        return {title: row for title, row in ((MEAN, self.means()), (SETS, self.sets)) if row}

    def cells(self, row: Mapping[str, float]) -> list[str]:
        """A row as text, empty where a metric has nothing to say of it."""
        return [f"{row[name]:.4f}" if name in row else "" for name in self.protocols]

    def print(self) -> None:
        """Show one table, the protocols under it."""
        table = Table(title=f"{len(self.rows)} images" if self.rows else None)
        table.add_column("")
        for name in self.protocols:
            table.add_column(name, justify="right", overflow="fold")
        for image, row in islice(self.rows.items(), SHOWN):
            table.add_row(image, *self.cells(row))
        if len(self.rows) > SHOWN:
            table.add_row(f"and {len(self.rows) - SHOWN} more; -o writes all")
        table.add_section()
        for title, row in self.summary().items():
            table.add_row(title, *self.cells(row))
        console.print(table)
        notes = [*self.protocols.values(), *([f"without a partner: {named(self.missing)}"] if self.missing else [])]
        for note in notes:
            console.print(note, soft_wrap=True)

    def write(self, path: Path) -> None:
        """Write .csv, .json or .md; the protocols stand in each of them."""
        replace_text(path, WRITERS[path.suffix.lower()](self))


def _as_csv(prices: Prices) -> str:
    rows = {**prices.rows, **prices.summary()}
    body = [[image, *(row.get(name, "") for name in prices.protocols)] for image, row in rows.items()]
    return csv_text([["image", *prices.protocols.values()], *body])


def _as_json(prices: Prices) -> str:
    def strict(row: Mapping[str, float]) -> dict[str, float | str]:  # JSON has no infinity, PSNR of equal images is
        return {name: value if isfinite(value) else str(value) for name, value in row.items()}

    content = {
        "protocols": prices.protocols,
        "mean": strict(prices.means()),
        "images": {image: strict(row) for image, row in prices.rows.items()},
        "missing": prices.missing,
    } | ({"sets": strict(prices.sets)} if prices.sets else {})
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _as_markdown(prices: Prices) -> str:
    lines = [f"| | {' | '.join(prices.protocols)} |", f"|---|{'---:|' * len(prices.protocols)}"]
    summary = {f"**{title}**": row for title, row in prices.summary().items()}
    for image, row in {**prices.rows, **summary}.items():
        cell = image.replace("|", "\\|")
        lines.append(f"| {cell} | {' | '.join(prices.cells(row))} |")
    lines += ["", "Protocols: " + ", ".join(f"`{protocol}`" for protocol in prices.protocols.values())]
    lines += ["", f"Without a partner: {', '.join(prices.missing)}"] if prices.missing else []
    return "\n".join(lines) + "\n"


WRITERS: dict[str, Callable[[Prices], str]] = {".csv": _as_csv, ".json": _as_json, ".md": _as_markdown}


def named(items: Sequence[str]) -> str:
    """The first few of a list, and how many more there are."""
    more = len(items) - NAMED
    return ", ".join(items[:NAMED]) + (f" and {more} more" if more > 0 else "")

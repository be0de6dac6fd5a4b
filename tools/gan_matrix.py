"""Trains every objective x regularizer x {none, SN} x discriminator for three iterations, and writes what came of it.

    python tools/gan_matrix.py -o docs/gan_matrix.md

Each cell trains (finite losses, live gradients in every weight), trains with a warning, or is refused with the reason.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import torch

from toolbox_plugins.gan_variants.matrix import DISCRIMINATORS, NORMS, OBJECTIVES, REGULARIZERS, Cell, cells, outcome


def main() -> None:
    """Read the command line, try all cells, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", dest="output", type=Path, required=True, help="the Markdown file to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = {cell: outcome(cell) for cell in cells()}
    kinds = Counter(text.split(":")[0].replace(";", ",") for text in found.values())
    notes: list[str] = []
    lines = [
        "# Which objectives, regularizers and discriminators train together",
        "",
        f"Made by `python tools/gan_matrix.py`: {len(found)} cells, three iterations each, at tiny size: "
        + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        + ". ✓ trains: finite losses, and live gradients in every weight of both networks. A number is a note below.",
        "",
    ]
    for norm in NORMS:
        for discriminator in DISCRIMINATORS:
            lines += [f"## {discriminator}, {'spectral norm' if norm == 'SN' else 'no spectral norm'}", ""]
            lines += [f"| | {' | '.join(REGULARIZERS)} |", "|---" * (len(REGULARIZERS) + 1) + "|"]
            for objective in OBJECTIVES:
                marks = [mark(found[Cell(objective, each, norm, discriminator)], notes) for each in REGULARIZERS]
                lines.append(f"| {objective} | {' | '.join(marks)} |")
            lines.append("")
    lines += ["## Notes", ""] + [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    options.output.write_text("\n".join(lines) + "\n")


def mark(text: str, notes: list[str]) -> str:
    """A cell's sign: a tick, a tick with a note's number, or a cross with one."""
    if text == "trains":
        return "✓"
    note = text.removeprefix("trains; ")
    if note not in notes:
        notes.append(note)
    return f"{'✗' if text.startswith('refused') else '✓'} {notes.index(note) + 1}"


if __name__ == "__main__":
    main()

"""Cells of a CSV that a spreadsheet would run, or that break a line: none begins a formula, and all come back."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from random import Random

from attacks import attack
from toolbox.io.csv_text import csv_text

PIECES = [
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "'",
    '"',
    ",",
    ";",
    " ",
    "1",
    "＝",
    "e5",
    ".",
    "cmd|' /C calc'!A0",
    "é",
    "\u202e",
]
SIGNS = "=+-@\t\r\n＝＋－＠"
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE)


class Attack(attack.Attack):
    """Rows of odd texts."""

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        rows = [["".join(draw.choices(PIECES, k=draw.randint(0, 5))) for _ in range(3)] for _ in range(3)]
        read = list(csv.reader(io.StringIO(csv_text(rows), newline="")))
        for row, cells in zip(rows, read, strict=True):
            for written, cell in zip(row, cells, strict=True):
                harmless = NUMBER.fullmatch(cell) or not cell.startswith(tuple(SIGNS))
                assert harmless, f"{cell!r} is a formula"
                back = re.sub(f"^'(?='*[{re.escape(SIGNS)}])", "", cell)
                assert back == written, f"{written!r} came back as {back!r}"
        return True

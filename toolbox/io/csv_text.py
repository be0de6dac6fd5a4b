"""Tables as CSV, whose text stays text in a spreadsheet: an image's name there must not become a formula that runs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""What spreadsheets take for a formula, or for a quote before one."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE)


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """The rows as CSV. Text that looks like a formula gets an apostrophe in front, which spreadsheets do not show.

    Programs get the text back by taking one apostrophe away where a formula's sign follows it, or more apostrophes
    and such a sign: `'=1+2` was `=1+2`, `''=1` was `'=1`, and `'tis` was never changed.
    """
    return "".join(f"{_line([_harmless(cell) for cell in row])}\n" for row in rows)


def _line(row: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(row)  # with "\n" alone Python 3.11 does not quote a cell's "\r"
    return text.getvalue().removesuffix("\r\n")


def _harmless(cell: object) -> object:
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell

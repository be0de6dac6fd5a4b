"""CSV files: what a spreadsheet would run is text, and a program gets every cell back."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.io.csv_text import csv_text

SIGNS = "=+-@\t\r\n"


def cells(text: str) -> list[list[str]]:
    """The rows as Python's reader gives them."""
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("sign", SIGNS)
def test_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe(sign: str) -> None:
    assert cells(csv_text([[f"{sign}cmd|' /C calc'!A0", 1]])) == [[f"'{sign}cmd|' /C calc'!A0", "1"]]


@pytest.mark.parametrize("value", [-1.5, 3, float("-inf"), "-1.5", "+2e-3", "", "a=b", "'tis", "x4.png"])
def test_numbers_and_harmless_text_stay(value: object) -> None:
    assert cells(csv_text([["first", value]])) == [["first", str(value)]]


@given(st.lists(st.text(st.one_of(st.sampled_from(SIGNS + "'\",;"), st.characters(codec="utf-8"))), min_size=1))
def test_a_program_gets_every_cell_back(row: list[str]) -> None:
    (found,) = cells(csv_text([["first", *row]]))
    assert [re.sub(r"^'(?='*[=+\-@\t\r\n＝＋－＠])", "", cell) for cell in found[1:]] == row

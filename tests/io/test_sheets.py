"""Sheets of samples are found by their iteration, whatever lies beside them."""

from __future__ import annotations

from pathlib import Path

from toolbox.io.sheets import sheet_of, sheets


def test_sheets_come_by_number_and_not_by_name_and_other_files_are_none(tmp_path: Path) -> None:
    assert sheets(tmp_path) == {}, "before the first evaluation"
    for iteration in (1000, 200, 30):
        sheet_of(tmp_path, iteration).parent.mkdir(exist_ok=True)
        sheet_of(tmp_path, iteration).touch()
    for name in ("test.png", "iter_x.png", "iter_-5.png", "iter_40.jpg"):
        (tmp_path / "samples" / name).touch()
    assert [*sheets(tmp_path)] == [30, 200, 1000]
    assert [*sheets(tmp_path).values()][-1] == tmp_path / "samples" / "iter_1000.png"

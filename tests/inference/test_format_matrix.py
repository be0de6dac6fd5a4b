"""Every kind of pixel × format × network × output format: right, or refused with one line; nothing is silent."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from format_matrix import DOCUMENT, MODES, Outcome, document, outcomes

pytest.importorskip("tifffile")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    folder: Path = tmp_path_factory.mktemp("matrix")
    (folder / "in").mkdir()
    return list(outcomes(folder))


def test_every_result_shows_the_inputs_colours_and_transparency(found: list[Outcome]) -> None:
    wrong = [f"{each.given.path.name} {each.network} {each.output}: {each.wrong}" for each in found if each.wrong]
    assert not wrong and {each.given.mode for each in found} == set(MODES)
    assert len(found) > 1500 and min(Counter(each.network for each in found).values()) > 500


def test_what_is_refused_is_refused_in_one_line_with_the_way_out(found: list[Outcome]) -> None:
    lines = {each.line for each in found if each.line}
    assert lines
    for line in lines:
        assert "\n" not in line and "choose --format" in line
    assert not [each for each in found if each.output == "auto" and each.line], "auto always finds a format"


def test_the_document_is_what_was_found(found: list[Outcome]) -> None:
    again = "python tests/inference/format_matrix.py writes it anew"
    assert DOCUMENT.read_text() == document(found), again

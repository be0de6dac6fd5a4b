"""The tree stays one that a newcomer reads in one look: few rooms, each with a first line, and short files."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
CORE = ROOT / "toolbox"


def order() -> list[str]:
    """The rooms from top to bottom, as import-linter holds them."""
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (layers,) = re.findall(r"^layers = \[(.*?)\]", settings, re.DOTALL | re.MULTILINE)
    return re.findall(r'"(\w+)"', layers)


def entries() -> list[Path]:
    """What `ls toolbox` shows."""
    return [each for each in CORE.iterdir() if each.name != "__pycache__"]


def test_the_core_opens_on_few_entries_and_every_folder_is_a_room_of_the_order() -> None:
    assert len(entries()) <= 17  # fourteen rooms, __init__, __main__ and py.typed
    assert {each.name for each in entries() if each.is_dir()} == set(order())


def test_every_room_says_its_subject_in_one_line() -> None:
    for room in order():
        said = ast.get_docstring(ast.parse((CORE / room / "__init__.py").read_text(encoding="utf-8")))
        assert said and len(said.splitlines()[0]) <= 120, room


def test_the_page_names_the_rooms_in_their_order() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE) == order()
    assert len(page.splitlines()) <= 120


def test_files_are_short() -> None:
    lines = [len(each.read_text(encoding="utf-8").splitlines()) for each in CORE.rglob("*.py")]
    assert median(lines) < 120 and max(lines) <= 300


def test_tests_mirror_the_rooms() -> None:
    folders = {each.name for each in (ROOT / "tests").iterdir() if each.is_dir() and list(each.glob("test_*.py"))}
    assert folders <= {*order(), "toolbox_plugins"}

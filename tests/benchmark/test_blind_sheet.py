"""The blind sheet: pairs in random order, a key that is not on the page, and votes that are counted by it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from runs import pictures

TOOL = Path(__file__).parents[2] / "tools" / "blind_sheet.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_pairs_are_shown_in_random_order_and_counted_by_the_key(tmp_path: Path) -> None:
    first, second = pictures(tmp_path / "first", 12, seed=1), pictures(tmp_path / "second", 12, seed=2)
    (second / "00.png").unlink()
    page = tmp_path / "sheet.html"
    assert run(first, second, "-o", page, "--pairs", 9).returncode == 0
    key, text = json.loads((tmp_path / "sheet.key.json").read_text()), page.read_text()
    assert len(key["pairs"]) == 9 and "00.png" not in key["pairs"] and set(key["first_is"]) == {"L", "R"}
    assert str(first) not in text and key["first_is"] not in text, "the page does not tell"
    shown = re.findall(r'src="(data:[^"]+)"', text)
    assert len(set(shown)) == 18
    assert f"in 9 of 9 pairs, 100% [{100 / (1 + 1.96**2 / 9):.0f}%, 100%]" in count(key["first_is"], tmp_path)
    other = key["first_is"].translate(str.maketrans("LR", "RL"))
    assert "in 0 of 9 pairs" in count(other, tmp_path)
    assert "in 1 of 1 pairs" in count(key["first_is"][0] + "-" * 8, tmp_path)
    assert "nobody could tell" in count("-" * 9, tmp_path)


def count(votes: str, folder: Path) -> str:
    return run(f"--votes={votes}", "--key", folder / "sheet.key.json").stdout


def test_what_is_no_sheet_is_refused_in_one_line(tmp_path: Path) -> None:
    first, second = pictures(tmp_path / "first", 1), tmp_path / "second"
    second.mkdir()
    done = run(first, second)
    assert done.returncode == 1 and "have no pictures of one name" in done.stderr and done.stderr.count("\n") == 1

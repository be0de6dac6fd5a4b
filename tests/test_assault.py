"""The assault itself: it sees every kind of failure, gives the same cases for the same seed, and finds nothing here."""

from __future__ import annotations

import os
import signal
import sys
import time
from mmap import mmap
from pathlib import Path
from random import Random

import pytest

import assault
from attacks import SHARES, attack, attack_on, pool
from attacks.attack import Outcome, problem_of_line, tried
from toolbox.io.errors import UserError
from toolbox.weights import connection


class Faulty(attack.Attack):
    """Fails in a way of its own for each number."""

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        (folder / "input").write_text(str(number))
        if number == 1:
            raise UserError("x: is wrong")
        if number == 2:
            raise UserError("x: is\nwrong")
        if number == 3:
            raise KeyError("x")
        if number == 4:
            time.sleep(60)
        if number == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 6:
            fresh = mmap(-1, 2 * attack.MEMORY)  # no memory that the tests before have left to this process
            for _ in range(0, len(fresh), 1 << 20):
                fresh.write(bytes(1 << 20))
        return number == 0


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers know the kind `faulty`, wait a second for it, and give it memory that is filled in less."""
    monkeypatch.setitem(SHARES, "faulty", 1)
    monkeypatch.setattr(pool, "SECONDS", 0.5)
    for module in (attack, pool):
        monkeypatch.setattr(module, "MEMORY", 1 << 27)
    monkeypatch.setitem(sys.modules, "attacks.faulty", sys.modules[__name__])
    monkeypatch.setattr(pool, "CONTEXT", "fork")


Attack = Faulty


def test_whatever_goes_wrong_is_counted_and_the_others_go_on(faulty: None, tmp_path: Path) -> None:
    found: dict[int, Outcome] = {}
    for (_, number), outcome, folder in pool.outcomes(iter([("faulty", n) for n in range(8)]), 0, 2, tmp_path):
        found[number] = outcome
        assert (folder / "input").read_text() == str(number), "the failing input is there to be kept"
    names = [found[number].name for number in range(8)]
    assert names == ["right", "refused", "failed", "failed", "failed", "failed", "failed", "other"]
    for number, words in ((2, "more than a line"), (3, "KeyError"), (4, "hangs"), (5, "died with -9"), (6, "MiB")):
        assert words in found[number].said
    assert not list(tmp_path.iterdir())


def test_a_failing_input_is_kept_with_the_command_that_tries_it_again(
    faulty: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--kinds", "faulty", "--cases", "4", "--seed", "7", "--workers", "1", "--keep", str(tmp_path / "kept")]
    assert assault.main(arguments) == 1
    assert "| faulty | 4 | 1 | 0 | 1 | 2 |" in capsys.readouterr().out
    kept = tmp_path / "kept" / "faulty-7-3"
    assert (kept / "input").read_text() == "3"
    assert (kept / "failure.txt").read_text().startswith("python tests/assault.py --kinds faulty --seed 7 --case 3\n")
    assert assault.main(["--kinds", "faulty", "--seed", "7", "--case", "3"]) == 1


@pytest.mark.parametrize("kind", [kind for kind in SHARES if kind not in ("bombs", "states")])
def test_a_few_cases_of_every_kind_end_well(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TIMEOUT", connection.TIMEOUT)  # which the downloads shorten
    made = attack_on(kind)(tmp_path)
    for number in range(6):
        folder = tmp_path / f"case {number}"
        folder.mkdir()
        outcome = tried(made, kind, 0, number, folder)
        assert outcome.name != "failed", outcome.said


def test_the_same_seed_gives_the_same_cases(tmp_path: Path) -> None:
    made, contents = attack_on("configs")(tmp_path), []
    for seed in (3, 3, 4):
        folder = tmp_path / str(len(contents))
        folder.mkdir()
        tried(made, "configs", seed, 11, folder)
        contents.append((folder / "run.yaml").read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_kinds_come_in_their_shares_and_short_ones_end() -> None:
    cases = list(assault.drawn(["images", "downloads"], 2000))
    ends = attack_on("downloads").cases
    assert len(cases) == 2000 and cases.count(("downloads", 0)) == 1
    assert [number for kind, number in cases if kind == "downloads"] == list(range(ends or 0))
    assert problem_of_line("x" * 2000) and problem_of_line("") and problem_of_line("fine") is None

"""A run of a benchmark that is killed goes on; one that is killed again and again, without getting on, has failed."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from toolbox.benchmark import launch
from toolbox.benchmark.launch import KILLED, LIVES, Outcome, ended
from toolbox.benchmark.worker import STOPPED


def outcome_of(folder: Path, monkeypatch: pytest.MonkeyPatch, *, kills: int, saves: bool) -> tuple[Outcome, int]:
    """A run that is killed so often, each time after a checkpoint or not; its outcome and its processes."""
    (folder / "train").mkdir(parents=True)
    begun = 0

    def process(*_: Any) -> Outcome:
        nonlocal begun
        begun += 1
        if saves:
            (folder / "train" / f"iter_{begun}.pth").touch()
        return KILLED if begun <= kills else Outcome("done")

    monkeypatch.setattr(launch, "_launched", process)
    return launch.launch(folder, threads=1), begun


def test_a_run_that_gets_on_between_ten_kills_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome_of(tmp_path, monkeypatch, kills=10, saves=True) == (Outcome("done"), 11)


def test_a_run_that_is_killed_once_before_its_first_checkpoint_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcome_of(tmp_path, monkeypatch, kills=LIVES - 1, saves=False) == (Outcome("done"), LIVES)


def test_a_run_that_never_gets_on_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome_of(tmp_path, monkeypatch, kills=100, saves=False) == (KILLED, LIVES)


@pytest.mark.parametrize("code", [STOPPED, -signal.SIGTERM, -signal.SIGHUP])
def test_a_run_that_somebody_asked_to_stop_has_not_failed(tmp_path: Path, code: int) -> None:
    outcome = ended(tmp_path, code, probe=False, stopped=False)
    assert outcome.state == "stopped" and outcome.reason, "a rung of halving is reached without a reason only"

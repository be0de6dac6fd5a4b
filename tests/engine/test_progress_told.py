"""A training says early how long it will take, where its first line of losses would be long in coming."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from toolbox.engine import progress
from toolbox.engine.progress import ProgressHook


class Clock:
    """A clock that the test moves."""

    now = 100.0

    def perf_counter(self) -> float:
        """The time in seconds."""
        return self.now


def lines(
    seconds: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *,
    interval: int = 50, first: int = 0, phases: tuple[int, ...] = (), rank: int = 0, silent: bool = False,
) -> list[str]:  # fmt: skip
    """What is printed in a run of 100 iterations after the last of iterations that take so many seconds."""
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(progress, "record", lambda *_: None)
    parts = SimpleNamespace(phases=[SimpleNamespace(name="train", until=until) for until in (*phases, None)])
    algorithm = SimpleNamespace(parts=parts, phase_of=lambda _: parts.phases[0])
    rates = SimpleNamespace(get_lr=lambda: {"generator": [1e-3]})
    runner: Any = SimpleNamespace(
        rank=rank, iter=first, max_iters=100, algorithm=algorithm, optim_wrapper=rates,
        train_loop=SimpleNamespace(last=100),
    )  # fmt: skip
    hook = ProgressHook(interval=interval)
    hook.before_train(runner)
    hook.silent = silent
    for number, each in enumerate(seconds, first):
        clock.now += each
        hook.after_train_iter(runner, number, outputs={"g/pixel": torch.zeros(())})
    return capsys.readouterr().out.splitlines()


def test_the_whole_is_told_once_after_ten_seconds_without_the_first_iteration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "about 5 min on this machine: 100 iterations of 3 s, and the validations"
    assert lines([5, 3], monkeypatch, capsys) == []
    assert lines([5, 3, 3], monkeypatch, capsys) == [told]
    assert lines([5, *[3] * 12], monkeypatch, capsys) == [told]


def test_slow_iterations_are_told_after_three(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines([90, 60], monkeypatch, capsys) == []
    assert "about 1.7 h" in lines([90, 60, 60], monkeypatch, capsys)[0]


def test_a_resumed_run_tells_what_is_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "50 iterations of 6 s" in lines([6, 6, 6], monkeypatch, capsys, first=50)[0]


def test_a_phase_to_come_may_take_longer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "(a later phase may take longer)" in lines([6] * 3, monkeypatch, capsys, phases=(50,))[0]
    assert "later" not in lines([6] * 3, monkeypatch, capsys, first=60, phases=(50,))[0]


def test_nothing_is_told_where_it_is_seen_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines([6] * 5, monkeypatch, capsys, rank=1) == []
    assert lines([6] * 5, monkeypatch, capsys, silent=True) == []
    (line,) = lines([6] * 2, monkeypatch, capsys, interval=2)
    assert "eta" in line, "the first line of losses has it"
    assert not any("about" in line for line in lines([0.01] * 40, monkeypatch, capsys)), "nobody waits"

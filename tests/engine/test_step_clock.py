"""What a step takes: by the wall in a training, by the process's own time in a probe on one thread of a CPU."""

from __future__ import annotations

import time

import pytest
import torch

from toolbox.engine.costs import StepClock


@pytest.fixture(autouse=True)
def one_thread_of_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)


def seconds_of_a_step_that_sleeps(clock: StepClock) -> float:
    clock.start()
    time.sleep(0.2)
    clock.stop()
    return clock.seconds[0]


def test_a_probe_does_not_count_what_others_take() -> None:
    assert seconds_of_a_step_that_sleeps(StepClock(waiting=True)) < 0.1


def test_a_probe_counts_its_own_work() -> None:
    clock = StepClock(waiting=True)
    begun = time.process_time()
    clock.start()
    while time.process_time() - begun < 0.2:
        pass
    clock.stop()
    assert 0.15 < clock.seconds[0] < 0.3


def test_a_training_counts_whatever_it_takes() -> None:
    assert seconds_of_a_step_that_sleeps(StepClock()) >= 0.2


def test_a_probe_of_several_threads_goes_by_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)  # their times would add up
    assert seconds_of_a_step_that_sleeps(StepClock(waiting=True)) >= 0.2

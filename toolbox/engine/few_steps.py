"""Lets a run take a few steps and no more, and times them: what one takes, before anybody waits for a thousand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from mmengine.hooks import Hook

TIMED, ENOUGH = 4, 6.0
"""Steps that are timed, and seconds after which fewer do."""


class FewStepsHook(Hook):
    """Ends a run after `1 + TIMED` steps, or after two once `ENOUGH` seconds have passed.

    The first step allocates and compiles, and is not counted.
    """

    priority = "LOWEST"

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.begun: list[float] = []
        self.ended: list[float] = []

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """A step begins; its batch is there."""
        self.begun.append(self.clock())

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """A step has ended, on a GPU too; perhaps it was the last."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ended.append(self.clock())
        late = self.ended[-1] - self.begun[0] >= ENOUGH
        if len(self.ended) > TIMED or (late and len(self.ended) > 1):
            runner.train_loop.stop_training = True

    def seconds(self, *, reading: bool) -> float | None:
        """The mean of the steps after the first, with or without `reading` their batches; None without such steps."""
        count = len(self.ended) - 1
        if count < 1:
            return None
        if reading:
            return (self.ended[-1] - self.ended[0]) / count
        return sum(end - begin for begin, end in zip(self.begun[1:], self.ended[1:], strict=True)) / count

"""What a training costs where it runs: seconds of a step, memory at its peak, and how busy the machine was."""

from __future__ import annotations

import os
import time
from statistics import fmean, median
from typing import Any

import torch

WARM_UP = 3
"""First steps, which allocate and compile; they are not counted unless there are no others."""


class StepClock:
    """Times every training step from its batch to the last hook; validation, saving and reading lie outside or aside.

    The median is given, so that a step in which something else happened as well (a look of the health monitor, a
    checkpoint) does not count.
    """

    def __init__(self, *, waiting: bool = False) -> None:
        self.waiting = waiting
        """Whether each step waits for the GPU, which a training never should, and a probe of few steps must."""
        self.now = time.perf_counter
        if waiting and not torch.cuda.is_available() and torch.get_num_threads() == 1:
            self.now = time.process_time  # a few steps beside other work say what they would take alone
        self.seconds: list[float] = []
        self.begun = 0.0

    def start(self) -> None:
        """A step begins."""
        self.begun = self.now()

    def stop(self) -> None:
        """A step has ended."""
        if self.waiting and torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds.append(self.now() - self.begun)

    def facts(self) -> dict[str, Any]:
        """For a report; without steps, what is known without them."""
        counted = self.seconds[WARM_UP:] or self.seconds
        return {
            "step_seconds": median(counted) if counted else None,
            "mean_step_seconds": fmean(counted) if counted else None,
            "steps_timed": len(counted),
            "peak_memory_mib": peak_memory(),
            "threads": torch.get_num_threads(),
            "load": load(),
        }


def peak_memory() -> float | None:
    """Most memory that this process has held so far, in MiB: the GPU's where one is used, or else resident."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    except (OSError, StopIteration):
        return None


def load() -> float | None:
    """Processes that wanted a core over the last minute, this one among them; None where the system does not say."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None

"""How far a film is: frames a second, time left, and size so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Frames that are done, of about how many (None: nobody knows); frames a second of this run; bytes so far."""

    done: int
    total: int | None
    rate: float
    size: int

    @property
    def part(self) -> float:
        """Of the film, in [0, 1]; 0 where nobody knows."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def left(self) -> float | None:
        """Seconds."""
        return max(0, self.total - self.done) / self.rate if self.total and self.rate else None

    def described(self) -> str:
        """`1,204 of 7,200 frames, 12.3 a second, 8 min left, 103 MB so far`."""
        of = f" of {self.total:,}" if self.total else ""
        rate = f"{self.rate:.1f} a second" if self.rate >= 1 or not self.rate else f"{1 / self.rate:.1f} s each"
        left = self.left
        shown = "" if left is None else f", {left:.0f} s left" if left < 90 else (
            f", {left / 60:.0f} min left" if left < 5400 else f", {left / 3600:.1f} h left"
        )  # fmt: skip
        return f"{self.done:,}{of} frames, {rate}{shown}, {self.size / 1e6:,.0f} MB so far"


class Counting:
    """Makes `Progress` of what a writer tells, and hands it on: `counting(number, size)`."""

    def __init__(
        self, before: int, total: int | None, told: Callable[[Progress], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.before, self.total, self.told, self.clock = before, total, told, clock
        self.started: float | None = None
        self.since = before

    def __call__(self, number: int, size: int) -> None:
        """Frame `number`, from 0, is done. The first of a run begins the clock: before it stands all preparing."""
        now = self.clock()
        if self.started is None:
            self.started, self.since = now, number + 1
        passed = now - self.started
        rate = (number + 1 - self.since) / passed if passed > 0 else 0.0
        self.told(Progress(number + 1, self.total, rate, size))

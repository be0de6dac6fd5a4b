"""Progress of long work: the time left, and, where no bar can be drawn, a line every so often."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST, EVERY = 10.0, 30.0
"""Seconds until the first line, and between two."""


def hours(seconds: float) -> str:
    """Seconds as `27:04:09`: hours, of which there may be more than a day's, minutes and seconds."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"


def roughly(seconds: float) -> str:
    """Seconds as one would say them: `40 s`, `12 min`, `3.5 h`."""
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


def forecast(iterations: int, seconds: float) -> str:
    """How long so many iterations of so many seconds take: `about 8 min on this machine: 1,200 iterations of 0.4 s`."""
    each = f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"
    return f"about {roughly(iterations * seconds)} on this machine: {iterations:,} iterations of {each} s"


class ProgressLines:
    """Says `infer: 12%, 3 min left` through `say` when it is time."""

    def __init__(self, name: str, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.name, self.say, self.clock = name, say, clock
        self.started = clock()
        self.next = self.started + FIRST

    def __call__(self, part: float, said: str | None = None) -> None:
        """`part` of the work is done, in [0, 1]; `said` is shown instead of the time left."""
        now = self.clock()
        if now < self.next or (part <= 0 and said is None):
            return
        self.next = now + EVERY
        if said is not None:
            self.say(f"{self.name}: {said}")
            return
        left = (now - self.started) * (1 - part) / part
        self.say(f"{self.name}: {part:.0%}, {roughly(left)} left")

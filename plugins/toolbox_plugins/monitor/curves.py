"""The looks of a run as curves of few points, so that a long run's picture costs no more than a short one's."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite, nan

from .verdicts import Look

MOST = 128
"""Spans of a curve at the most, one for two or three pixels of a plot; a long run's have at least half as many."""


@dataclass
class Span:
    """Looks one after the other: the first one's iteration, and the lowest and highest value of each measure."""

    iteration: float
    looks: int
    low: dict[str, float]
    high: dict[str, float]

    def take(self, other: Span) -> None:
        """Stand for the looks of the next span too."""
        self.looks += other.looks
        for mine, theirs, choose in ((self.low, other.low, min), (self.high, other.high, max)):
            for name, value in theirs.items():
                mine[name] = choose(mine.get(name, value), value)


@dataclass
class Curves:
    """Every measure over the iterations; no spike is lost, only where exactly in its span it was.

    All spans but the last hold `stride` looks. Where there are `MOST`, neighbours are joined, and the stride doubles:
    the work is the same for each look, however many there were.
    """

    spans: list[Span] = field(default_factory=list)
    stride: int = 1
    marks: list[int] = field(default_factory=list)
    """Iterations with a verdict, of which a picture shows so many at the most."""

    def add(self, look: Look) -> None:
        """One look more; values that are not finite leave a gap."""
        values = {name: value for name, value in look.items() if isfinite(value) and name != "iteration"}
        span = Span(look["iteration"], 1, values, dict(values))
        if self.spans and self.spans[-1].looks < self.stride:
            self.spans[-1].take(span)
            return
        self.spans.append(span)
        if len(self.spans) == MOST:
            for first, second in zip(self.spans[::2], self.spans[1::2], strict=True):
                first.take(second)
            self.spans, self.stride = self.spans[::2], 2 * self.stride

    def mark(self, iteration: int) -> None:
        """A verdict at an iteration; of too many, every second is forgotten."""
        if not self.marks or self.marks[-1] != iteration:
            self.marks.append(iteration)
        if len(self.marks) == MOST:
            del self.marks[::2]  # the newest stays

    def names(self) -> set[str]:
        """Every measure that was ever taken."""
        return {name for span in self.spans for name in span.low}

    def points(self, name: str) -> list[tuple[float, float]]:
        """The points (iteration, value) of a measure; a span whose values differ gives its lowest and highest."""
        found = []
        for span in self.spans:
            low, high = span.low.get(name, nan), span.high.get(name, nan)
            found += [(span.iteration, value) for value in dict.fromkeys((low, high)) if isfinite(value)]
        return found

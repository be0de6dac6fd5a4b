"""Means over seeds with intervals that hold for few seeds, paired differences, effects of an axis, Pareto fronts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from math import isfinite, sqrt
from typing import NamedTuple, TypeVar

import numpy as np

EXACT = 6
"""Up to so many values every resample is taken, more often random ones."""
RESAMPLES = 10_000
NORMAL = 1.959964
"""The normal distribution's 97.5 % point."""
STUDENT = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448,
    2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484,
    2.0452, 2.0423,
)  # fmt: skip
"""Student's 97.5 % points for 1 to 30 degrees of freedom."""
Key = TypeVar("Key", bound=Hashable)


class Interval(NamedTuple):
    """A mean with its 95 % interval; one value has none."""

    mean: float
    low: float | None
    high: float | None

    @property
    def noise(self) -> bool:
        """Whether zero lies inside, or nothing is known of the spread: no difference has been shown."""
        return self.low is None or self.high is None or self.low <= 0 <= self.high


def interval(values: Sequence[float]) -> Interval:
    """The mean of independent values and its 95 % bootstrap interval, stretched for small numbers.

    A percentile bootstrap of n values is too narrow by sqrt((n - 1) / n), and knows nothing of how little n values say
    about their spread (Hesterberg, 2015, "What teachers should know about the bootstrap"). So the deviations of its
    bounds from the mean are multiplied by t / (z * sqrt((n - 1) / n)), t being Student's point for n - 1 degrees of
    freedom: 2.7 for three values. Of three normal values it covers the truth about as often as Student's interval does.
    """
    given = np.asarray(values, dtype=float)
    mean = float(given.mean())
    if len(given) < 2 or not np.isfinite(given).all():
        return Interval(mean, None, None)
    low, high = np.percentile(resampled_means(given), [2.5, 97.5])
    freedom = len(given) - 1
    t = STUDENT[freedom - 1] if freedom <= len(STUDENT) else NORMAL
    stretch = t / (NORMAL * sqrt(freedom / len(given)))
    return Interval(mean, mean + stretch * (float(low) - mean), mean + stretch * (float(high) - mean))


def resampled_means(values: np.ndarray) -> np.ndarray:
    """Means of samples of the values with replacement: all there are, or many at random (of a fixed seed)."""
    count = len(values)
    if count <= EXACT:
        return np.array([np.mean(each) for each in itertools.product(values, repeat=count)])
    chosen = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
    return values[chosen].mean(1)


def difference(values: Mapping[int, float], baseline: Mapping[int, float]) -> Interval | None:
    """Values minus the baseline's of the same seed; None if they share none."""
    shared = [seed for seed in values if seed in baseline]
    return interval([values[seed] - baseline[seed] for seed in shared]) if shared else None


def effects(
    found: Mapping[Key, Mapping[int, float]], axis: Callable[[Key], str], others: Callable[[Key], Hashable]
) -> dict[str, Interval]:
    """What each alternative of an axis adds to the mean over its alternatives, everything else being equal.

    `found` are values by cell and seed. Only blocks count in which every alternative was measured with the same other
    alternatives and the same seed; per seed their mean is taken, and the interval is over seeds.
    """
    names = list(dict.fromkeys(axis(cell) for cell in found))
    blocks: dict[tuple[Hashable, int], dict[str, float]] = {}
    for cell, values in found.items():
        for seed, value in values.items():
            if isfinite(value):
                blocks.setdefault((others(cell), seed), {})[axis(cell)] = value
    per_seed: dict[str, dict[int, list[float]]] = {name: {} for name in names}
    for (_, seed), block in blocks.items():
        if len(block) == len(names):
            middle = sum(block.values()) / len(block)
            for name, value in block.items():
                per_seed[name].setdefault(seed, []).append(value - middle)
    return {
        name: interval([sum(each) / len(each) for each in seeds.values()]) for name, seeds in per_seed.items() if seeds
    }


def pareto(points: Mapping[Key, tuple[float, float]]) -> set[Key]:
    """Keys of points (cost, loss), both better when lower, that no other is as good as in both and better in one."""

    def beaten(point: tuple[float, float], others: Iterable[tuple[float, float]]) -> bool:
        return any(a <= point[0] and b <= point[1] and (a, b) != point for a, b in others)

    return {key for key, point in points.items() if not beaten(point, points.values())}


def wilson(wins: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share of at least one vote (Wilson, 1927), which holds for few votes too."""
    share, z = wins / total, NORMAL
    middle, half = share + z * z / (2 * total), z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, (middle - half) / (1 + z * z / total)), min(1.0, (middle + half) / (1 + z * z / total))

"""How many modes of a mixture a generator has found."""

from __future__ import annotations

import numpy as np
from mmengine.evaluator import BaseMetric

from .mixture import SPAN, SPREAD, centres

NEAR = 3
"""Deviations within which a point counts for a mode."""
SHARE = 0.2
"""Of an equal share of the good points, what a mode must have at least to count as covered."""


def covered(points: np.ndarray, layout: str) -> tuple[int, float]:
    """Modes covered, and the share of points (N, 2) of the plane that lie near any mode."""
    middles = centres(layout)
    distances = np.linalg.norm(points[:, None] - middles, axis=-1)  # (N, modes)
    near = distances.min(1) < NEAR * SPREAD
    counts = np.bincount(distances.argmin(1)[near], minlength=len(middles))
    return int((counts >= SHARE * len(points) / len(middles)).sum()), float(near.mean())


class ModesCovered(BaseMetric):
    """`modes`: how many have at least a fifth of an equal share of the points near them; `good`: points near any."""

    default_prefix = ""

    def __init__(self, *, layout: str = "ring", prediction: str = "fake") -> None:
        super().__init__(collect_device="cpu")
        self.layout, self.prediction = layout, prediction

    def process(self, data_batch, data_samples) -> None:
        """Keep the points."""
        self.results.extend(np.asarray(sample[self.prediction].cpu()).reshape(2) for sample in data_samples)

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Count."""
        modes, good = covered((np.stack(results) - 0.5) * SPAN, self.layout)
        return {"modes": float(modes), "good": good}

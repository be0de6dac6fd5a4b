"""A dataset: knows how many samples there are and reads one."""

from __future__ import annotations

from typing import Any

import numpy as np

from toolbox import ImageDataset


class StripedImages(ImageDataset):
    """Made-up pictures of stripes in two colours, each of its own width, angle and phase; no files are needed.

    Sample `index` is the same in every epoch but for its phase, which comes from `rng`.
    """

    def __init__(self, *, key: str = "hr", count: int = 64, size: int = 64) -> None:
        if count < 1 or size < 8:
            raise ValueError(f"count must be at least 1 and size at least 8, got {count} and {size}")
        self.key, self.count, self.size = key, count, size

    def __len__(self) -> int:
        return self.count

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return `{key: (size, size, 3) uint8, "name": "stripes_<index>"}`."""
        own = np.random.default_rng(index)  # what makes this sample itself: not random, but a function of the index
        width, angle = own.uniform(4, 16), own.uniform(0, np.pi)
        colors = own.integers(0, 256, (2, 3))
        y, x = np.mgrid[: self.size, : self.size]
        wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / width + rng.uniform(0, 2 * np.pi))
        share = (wave[..., None] + 1) / 2  # (size, size, 1) in [0, 1]
        image = (share * colors[0] + (1 - share) * colors[1]).round().astype(np.uint8)
        return {self.key: image, "name": f"stripes_{index}"}

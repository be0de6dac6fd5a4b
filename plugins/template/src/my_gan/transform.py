"""A transform: changes the images of one sample while they are read."""

from __future__ import annotations

import numpy as np

from toolbox import Images, Transform


class GammaJitter(Transform):
    """Raises brightness to a random power from 1 / `strength` to `strength`, the same for all images of a sample."""

    def __init__(self, *, strength: float = 1.3) -> None:
        if strength < 1:
            raise ValueError(f"strength must be at least 1, got {strength}")
        self.strength = strength

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        """Change images (H, W, C) uint8; black stays black and white stays white."""
        gamma = self.strength ** rng.uniform(-1, 1)
        table = (255 * (np.arange(256) / 255) ** gamma).round().astype(np.uint8)
        return {name: table[image] for name, image in images.items()}

"""Mixtures of Gaussians in the plane, as images of one pixel: [-5, 5] of the plane is [0, 1] of the image."""

from __future__ import annotations

from typing import Any

import numpy as np

from toolbox import ImageDataset, UserError


def centres(layout: str) -> np.ndarray:
    """The middles of the Gaussians, (modes, 2): 8 on a circle of radius 2, or 25 on a grid from -4 to 4."""
    if layout == "ring":
        angles = 2 * np.pi * np.arange(8) / 8
        return 2 * np.stack([np.cos(angles), np.sin(angles)], 1)
    if layout == "grid":
        return np.stack(np.meshgrid(*[np.arange(-4, 5, 2.0)] * 2), -1).reshape(-1, 2)
    raise UserError(f"layout must be ring or grid, got {layout!r}")


SPREAD = 0.1
"""Deviation of each Gaussian along each axis; neighbours on the ring are 1.53 apart."""


SPAN = 10.0
"""What an image's range is in the plane: give regularizers `image_span: 10`."""


class GaussianMixture(ImageDataset):
    """Points `real` (2, 1, 1) in [0, 1] of a mixture and latent `noise` (latent, 1, 1), float32, new ones each.

    The ring of 8 and the grid of 25 of Metz et al., 2017 (unrolled GANs) and Srivastava et al., 2017 (VEEGAN).
    """

    def __init__(self, *, layout: str = "ring", latent: int = 16, size: int = 10_000) -> None:
        if latent < 1 or size < 1:
            raise UserError(f"latent and size must be at least 1, got {latent} and {size}")
        self.centres, self.latent, self.size = centres(layout), latent, size

    def __len__(self) -> int:
        return self.size

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """One point of a mode chosen at random, and one latent vector."""
        centre = self.centres[rng.integers(len(self.centres))]
        point = centre + SPREAD * rng.standard_normal(2)
        return {
            "real": (0.5 + point / SPAN).astype(np.float32).reshape(2, 1, 1),
            "noise": rng.standard_normal(self.latent).astype(np.float32).reshape(-1, 1, 1),
            "name": str(index),
        }

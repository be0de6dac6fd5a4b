"""A degradation: how a good photograph becomes a bad one."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from toolbox import Degradation


class SensorDegradation(Degradation):
    """A smaller sensor took the picture: `scale` x `scale` pixels fall on one, with noise that grows with the light.

    The variance is shot * brightness + read^2 (Foi et al. 2008). `shot` is drawn for each sample between 0 and the
    given value, so that one batch holds noisy and almost clean images.
    """

    def __init__(self, *, scale: int = 2, shot: float = 0.004, read: float = 0.004) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"scale must be at least 1, got {scale}")
        if shot < 0 or read <= 0:
            raise ValueError(f"shot must be 0 or more and read above 0, got {shot} and {read}")
        self.scale, self.shot, self.read = scale, shot, read

    def forward(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Shrink images (B, C, H, W) in [0, 1] to (B, C, H/scale, W/scale) in [0, 1] and add noise."""
        small = avg_pool2d(images, self.scale)
        shot = self.shot * torch.rand(len(images), 1, 1, 1, generator=rng)  # one per sample
        noise = torch.randn(small.shape, generator=rng)
        variance = shot.to(small) * small + self.read**2  # read > 0: the square root has a slope at black too
        return (small + variance.sqrt() * noise.to(small)).clamp(0, 1)

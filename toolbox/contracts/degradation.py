"""The contract of a degradation: clean images in, damaged or smaller images out."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Degradation(nn.Module, ABC):
    """Damages a batch on its device, with every random parameter drawn per sample.

    `scale` is input size over output size (4 for x4 super-resolution data, 1 for restoration).
    """

    scale: int = 1

    @abstractmethod
    def forward(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Damage images (B, C, H, W) in [0, 1] to (B, C, H/scale, W/scale) in [0, 1].

        Randomness comes from `rng` alone (it lives on the CPU): the same state gives the same output. Where the
        operation is differentiable, so is this.
        """

    def check_size(self, height: int, width: int) -> None:
        """Raise ValueError for images (H, W) that it cannot take: by default those that `scale` does not divide."""
        if height % self.scale or width % self.scale:
            raise ValueError(
                f"height {height} and width {width} must be multiples of {self.scale} to shrink by {self.scale}; crop "
                f"to {height - height % self.scale}x{width - width % self.scale} first (ModCrop does)"
            )

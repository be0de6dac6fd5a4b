"""Structural similarity at several scales, as a loss."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from toolbox import Loss, UserError
from toolbox_plugins.losses.pixel import check_shapes
from toolbox_plugins.metrics.msssim import WEIGHTS
from toolbox_plugins.metrics.ssim import MARGIN, similarity

WINDOW = 2 * MARGIN + 1
LEAST = 0.05
"""Below such a mean its logarithm goes on as its tangent: negative means have no power and should rise."""


class MSSSIMLoss(Loss):
    """1 minus the multi-scale structural similarity (Wang et al. 2003), the mean over images: from 0 to 1.

    The metric `MSSSIM`, with a gradient: contrast and structure at `scales` scales, halved by 2x2 means, luminance at
    the coarsest; windows of 11 pixels, only where they lie inside the image. With fewer scales than the paper's five
    the exponents of the finest are kept, made to add up to 1. Images that are unlike (a mean of structure below 0.05)
    count for a little more than 0, so that they still become alike. It says little about
    colours' absolute values: beside it, an L1 or `OklabLoss` keeps them.

    Raises:
        UserError: scales beyond 1 to 5; later, images smaller than 11 * 2^(scales - 1) pixels.
    """

    def __init__(self, *, scales: int = 5) -> None:
        super().__init__()
        if not 1 <= scales <= len(WEIGHTS):
            raise UserError(f"scales must be 1 to {len(WEIGHTS)}, got {scales}")
        self.weights = tuple(each / sum(WEIGHTS[:scales]) for each in WEIGHTS[:scales])

    @classmethod
    def example_arguments(cls) -> dict[str, Any]:
        """Two scales fit the images of a check."""
        return {"scales": 2}

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare images (B, C, H, W) in [0, 1]; a float32 scalar."""
        check_shapes(prediction, target)
        smallest = WINDOW * 2 ** (len(self.weights) - 1)
        height, width = prediction.shape[-2:]
        if min(height, width) < smallest:
            fit = max(int(math.log2(max(min(height, width) // WINDOW, 1))) + 1, 1)
            raise UserError(
                f"{len(self.weights)} scales want images of {smallest}x{smallest} at least, got {width}x{height}; "
                f"write scales: {fit}, or take larger crops"
            )
        first, second = 255 * prediction.float(), 255 * target.float()
        power = first.new_zeros(len(first))
        for number, weight in enumerate(self.weights, 1):
            light, structure = similarity(first, second)  # (B, C, h, w)
            last = number == len(self.weights)
            found = (light * structure if last else structure).flatten(1).mean(1)  # (B,)
            power = power + weight * (found.clamp(min=LEAST).log() + (found - LEAST).clamp(max=0) / LEAST)
            if not last:
                first, second = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
        return 1 - power.exp().mean()

    def extra_repr(self) -> str:
        """As in the config."""
        return f"scales={len(self.weights)}"

"""A loss that sees flicker."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import Loss


class FrameDifference(Loss):
    """Mean absolute error of what changes from frame to frame: one that stays is free, one that flickers is not."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare clips (B, T, C, H, W) in [0, 1] of two frames or more; a scalar."""
        return (prediction.diff(dim=1) - target.diff(dim=1)).abs().mean()

    @classmethod
    def example_inputs(cls) -> tuple[Tensor, Tensor]:
        """Two clips of three frames: what `plugins check` calls it with."""
        return torch.rand(2, 3, 3, 8, 8), torch.rand(2, 3, 3, 8, 8)

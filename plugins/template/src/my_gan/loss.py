"""A pixel loss that looks at edges."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import pad

from toolbox import Loss


class EdgeWeightedL1(Loss):
    """Mean absolute error, each pixel weighted by 1 + strength * |slope of the target|.

    The slope is the sum of the absolute forward differences along x and y, averaged over channels. Flat parts count
    as with L1; along a full black-white edge an error counts 1 + strength times.
    """

    def __init__(self, *, strength: float = 4.0) -> None:
        super().__init__()
        if strength < 0:
            raise ValueError(f"strength must be 0 or more, got {strength}")
        self.strength = strength

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare images (B, C, H, W) in [0, 1]; a scalar, zero if they are equal."""
        target = target.detach()
        along_x = pad(target.diff(dim=3).abs(), (0, 1))  # (B, C, H, W), zero in the last column
        along_y = pad(target.diff(dim=2).abs(), (0, 0, 0, 1))
        slope = (along_x + along_y).mean(dim=1, keepdim=True)  # (B, 1, H, W)
        return ((1 + self.strength * slope) * (prediction - target).abs()).mean()

    def extra_repr(self) -> str:
        """As in the config."""
        return f"strength={self.strength}"

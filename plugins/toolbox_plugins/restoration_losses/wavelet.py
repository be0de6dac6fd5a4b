"""Differences of Haar's details, level by level."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import Loss, UserError
from toolbox_plugins.losses.pixel import check_shapes


class WaveletLoss(Loss):
    """The mean absolute difference of two images' details in Haar's orthonormal wavelet, summed over levels.

    As in Wavelet-SRNet (Huang et al., ICCV 2017), by L1: each level halves the image and leaves three bands of details,
    of which the mean counts. `levels` holds the levels' weights, the finest first; `low` weighs the small image that is
    left, whose values are 2^levels times the pixels'. An odd last row or column of a level does not count.

    Raises:
        UserError: no levels, or a negative weight; later, images that cannot be halved so often.
    """

    def __init__(self, *, levels: tuple[float, ...] = (1.0, 1.0, 1.0), low: float = 0.0) -> None:
        super().__init__()
        if not levels or min(levels) < 0 or low < 0:
            raise UserError(f"levels must hold weights of 0 or more, as low must be, got {list(levels)} and {low}")
        self.levels, self.low = tuple(levels), low

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare images (B, C, H, W) in [0, 1]; a float32 scalar."""
        check_shapes(prediction, target)
        height, width = prediction.shape[-2:]
        if min(height, width) < 2 ** len(self.levels):
            raise UserError(
                f"{len(self.levels)} levels want images of {2 ** len(self.levels)} pixels, got {width}x{height}"
            )
        rest = prediction.float() - target.float()  # the transform is linear: once is enough
        total = rest.new_zeros(())
        for weight in self.levels:
            rest, details = halved(rest)
            total = total + weight * details.abs().mean()
        return total + self.low * rest.abs().mean()

    def extra_repr(self) -> str:
        """As in the config."""
        return f"levels={list(self.levels)}, low={self.low}"


def halved(images: Tensor) -> tuple[Tensor, Tensor]:
    """One level of images (B, C, H, W): the half (B, C, H/2, W/2), and details across, down and both (3, B, C, ...)."""
    height, width = images.shape[-2] // 2 * 2, images.shape[-1] // 2 * 2
    a, b = images[..., 0:height:2, 0:width:2], images[..., 0:height:2, 1:width:2]
    c, d = images[..., 1:height:2, 0:width:2], images[..., 1:height:2, 1:width:2]
    return (a + b + c + d) / 2, torch.stack([a - b + c - d, a + b - c - d, a - b - c + d]) / 2

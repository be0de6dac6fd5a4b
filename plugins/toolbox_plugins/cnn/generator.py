"""A residual CNN that works on shrunken images and adds what it finds to its enlarged input."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle, relu

from toolbox import Generator, UserError


class ResidualCNN(Generator):
    """Residual blocks without normalisation between a pixel unshuffle and a pixel shuffle, on top of the input.

    Blocks as in EDSR (Lim et al., 2017), the sub-pixel layer of ESPCN (Shi et al., 2016), the global residual of VDSR
    (Kim et al., 2016). The last convolution starts at zero, so the network starts as bicubic resizing (scale 2, 4, 8)
    or as the identity (scale 1). With `shrink` 2 the blocks work at half resolution: a quarter of the cost, for
    changes of colour and texture. Without normalisation, absolute colours pass through it.
    """

    def __init__(self, *, channels: int = 3, width: int = 48, blocks: int = 4, scale: int = 1, shrink: int = 1) -> None:
        super().__init__()
        if scale not in (1, 2, 4, 8):
            raise UserError(f"scale must be 1, 2, 4 or 8, got {scale}")
        if shrink not in (1, 2, 4):
            raise UserError(f"shrink must be 1, 2 or 4, got {shrink}")
        if min(channels, width) < 1 or blocks < 0:
            raise UserError(
                f"channels and width must be above 0 and blocks 0 or more, got {channels}, {width}, {blocks}"
            )
        self.scale, self.shrink, self.multiple = scale, shrink, shrink
        self.first = nn.Conv2d(channels * shrink**2, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.last = nn.Conv2d(width, channels * (shrink * scale) ** 2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, images: Tensor) -> Tensor:
        """Translate images (B, C, H, W) in [0, 1] to (B, C, scale*H, scale*W)."""
        features = relu(self.first(pixel_unshuffle(images * 2 - 1, self.shrink)))  # (B, width, H/shrink, W/shrink)
        change = pixel_shuffle(self.last(self.blocks(features)), self.shrink * self.scale)
        if self.scale == 1:
            return images + change
        return interpolate(images, scale_factor=self.scale, mode="bicubic", align_corners=False) + change


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), (B, width, H, W) to the same; the second convolution starts small."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        with torch.no_grad():
            self.conv2.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the two convolutions find."""
        return x + self.conv2(relu(self.conv1(x)))

"""EDSR (Lim et al. 2017), in the layout of BasicSR's files."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Generator, UserError

UPSAMPLING = {1: [], 2: [2], 3: [3], 4: [2, 2], 8: [2, 2, 2]}
"""The pixel shuffles that make up each scale."""
DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
"""The mean color of DIV2K's training images."""
RANGE = 255.0
"""The published networks work on [0, 255]."""


class EDSR(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C, scale*H, scale*W), nominally in [0, 1].

    Lim et al. 2017, table 1. The defaults are the baseline: 1,517,571 parameters at x4. The large network is
    `width: 256, blocks: 32, residual_scale: 0.1`, 43,089,923. State keys are BasicSR's: `conv_first`,
    `body.{i}.conv1|conv2`, `conv_after_body`, `upsample.{0,2,4}`, `conv_last`. PyTorch's initialisation, as there.

    `mean`, one value for each channel, is subtracted before and added after; left out it is DIV2K's for three
    channels and 0.5 otherwise. Files of DIV2K's networks need it. x1 and x8 are ours.
    """

    keeps_colors = True

    mean: Tensor

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        blocks: int = 16,
        residual_scale: float = 1.0,
        scale: int = 4,
        mean: list[float] | None = None,
    ) -> None:
        super().__init__()
        if scale not in UPSAMPLING:
            raise UserError(f"scale must be 1, 2, 3, 4 or 8, got {scale}")
        for name, value in (("in_channels", in_channels), ("width", width), ("blocks", blocks)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if out_channels != in_channels:
            raise UserError(
                f"out_channels must equal in_channels ({in_channels}), got {out_channels}: "
                "the mean taken from the input is added to the output"
            )
        if residual_scale <= 0:
            raise UserError(f"residual_scale must be above 0, got {residual_scale}")
        if mean is None:
            mean = list(DIV2K_MEAN) if in_channels == 3 else [0.5] * in_channels
        if len(mean) != in_channels:
            raise UserError(f"mean must have a value for each of {in_channels} channels, got {mean}")
        self.scale = scale
        self.conv_first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(width, residual_scale) for _ in range(blocks)))
        self.conv_after_body = nn.Conv2d(width, width, 3, padding=1)
        self.upsample = upsampling(width, scale)
        self.conv_last = nn.Conv2d(width, out_channels, 3, padding=1)
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images (B, C, H, W) in [0, 1] to (B, C, scale*H, scale*W); the output may leave [0, 1]."""
        features = self.conv_first((images - self.mean) * RANGE)  # (B, width, H, W)
        features = features + self.conv_after_body(self.body(features))
        return self.conv_last(self.upsample(features)) / RANGE + self.mean


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, scaled and added to the input (B, width, H, W)."""

    def __init__(self, width: int, residual_scale: float) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, width, H, W)."""
        residual = self.conv2(F.relu(self.conv1(features)))
        return torch.add(features, residual, alpha=self.residual_scale)


def upsampling(width: int, scale: int) -> nn.Sequential:
    """Features (B, width, H, W) to (B, width, scale*H, scale*W), by convolutions and pixel shuffles in turn."""
    steps: list[nn.Module] = []
    for factor in UPSAMPLING[scale]:
        steps += [nn.Conv2d(width, width * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
    return nn.Sequential(*steps)

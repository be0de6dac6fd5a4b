"""Colour at a lower resolution than light and shade, as video and JPEG keep it, and as painters lay it on."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from toolbox_plugins.degradations.jpeg import TO_RGB

from .layers import padded_convolution
from .norm import Statistics, StyledNorm

WIDTH = 24
"""Channels between the painter's features and the two planes."""


class ChromaHead(nn.Module):
    """Features (B, width, H, W) to Cb and Cr (B, 2, H, W) in [-0.5, 0.5], with a style's own scales and offsets."""

    def __init__(self, width: int, styles: int) -> None:
        super().__init__()
        self.first = padded_convolution(width, WIDTH)
        self.norm = StyledNorm(WIDTH, styles, normed=False)
        self.last = padded_convolution(WIDTH, 2)

    def forward(self, features: Tensor, shares: Tensor, statistics: Statistics) -> Tensor:
        """Features and the shares (B, styles) of the styles to both planes."""
        return torch.tanh(self.last(relu(self.norm(self.first(features), shares, statistics)))) / 2


def coloured(luma: Tensor, chroma: Tensor, scale: int) -> Tensor:
    """Y (B, 1, scale*H, scale*W) and Cb, Cr (B, 2, H, W), enlarged bilinearly, to RGB of Y's size in [0, 1], float32.

    JFIF's matrix, BT.601 over the full range.
    """
    luma = luma.float()
    wide = interpolate(chroma.float(), scale_factor=float(scale), mode="bilinear", align_corners=False)
    blue, red = wide[:, :1], wide[:, 1:]
    return torch.cat([luma + cb * blue + cr * red for _, cb, cr in TO_RGB], 1).clamp(0, 1)

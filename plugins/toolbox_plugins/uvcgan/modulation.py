"""Convolutions whose weights a style scales for each sample, as StyleGAN2's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON = 1e-6
"""Added to the sum of squared weights."""


class ModulatedConv(nn.Module):
    """A 3x3 convolution whose input channels a style scales, and whose outputs keep their size (Karras et al., 2020).

    Equations 1 and 3 there: weight w_ijk times s_i, divided by its norm over i and k. The scale is 1 + gain * linear(
    style), and `gain` begins at 0: the style is learned into the network (Torbunov et al. 2023). It is computed on
    features in the place of weights, which is the same and needs no weights for each sample. The bias is added at the
    end, as in StyleGAN2; the code of UVCGANv2 divides it by the norm too.
    """

    def __init__(self, channels: int, width: int, style: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bias = nn.Parameter(torch.zeros(width))
        self.scale = nn.Linear(style, channels)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """Features (B, channels, h, w) and a style (B, style) to features (B, width, h, w)."""
        scale = 1 + self.gain * self.scale(style)  # (B, channels)
        squares = self.conv.weight.square().sum((2, 3))  # (width, channels)
        norm = (scale.square() @ squares.T + EPSILON).rsqrt()  # (B, width)
        made = self.conv(features * scale[:, :, None, None]) * norm[:, :, None, None]
        return made + self.bias[:, None, None]

"""Layers that halve or double height and width, without checkerboards or aliasing."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def enlarged_convolution(features: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Nearest-neighbour x2, borders continued, 3x3 convolution: (B, c, h, w) to (B, c', 2h, 2w).

    `weight` is (c', c, 3, 3). Enlarged pixels come in fours that are alike, so neighbours of the kernel are added up,
    and a transposed convolution of 4x4 makes four of the result by 16 products, where 36 would. Reflected by one pixel
    or continued by it, what is enlarged has the same border.
    """
    wide = F.pad(weight.flip(2, 3).transpose(0, 1), (1, 1, 1, 1))
    rows = wide[:, :, 1:] + wide[:, :, :-1]
    features = F.pad(features, (1, 1, 1, 1), mode="replicate")
    return F.conv_transpose2d(features, rows[..., 1:] + rows[..., :-1], bias, stride=2, padding=3)


class ResizeConv(nn.Module):
    """Nearest-neighbour x2, reflection padding, 3x3 convolution: (B, c, h, w) to (B, c', 2h, 2w)."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """Enlarge features (B, c, h, w) to (B, c', 2h, 2w)."""
        return enlarged_convolution(features, self.conv.weight, self.conv.bias)


class Blur(nn.Module):
    """Blur by [1, 2, 1] / 4 both ways, borders continued: (B, c, h, w) to the same. What alternates is lost."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", _binomial([1, 2, 1]).repeat(channels, 1, 1, 1), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Blur features (B, c, h, w)."""
        return F.conv2d(F.pad(features, (1, 1, 1, 1), mode="replicate"), self.filt, groups=len(self.filt))


class BlurDown(nn.Module):
    """Blur by [1, 2, 1] / 4 both ways, then every second: (B, c, h, w) to (B, c, ceil(h/2), ceil(w/2)).

    Zhang 2019, "Making convolutional networks shift-invariant again", as in CUT's code; the buffer `filt` too.
    """

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", _binomial([1, 2, 1]).repeat(channels, 1, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Halve features (B, c, h, w)."""
        return F.conv2d(F.pad(features, (1, 1, 1, 1), mode="reflect"), self.filt, stride=2, groups=len(self.filt))


class BlurUp(nn.Module):
    """Zeros between, then a blur by [1, 3, 3, 1] / 4 both ways: (B, c, h, w) to (B, c, 2h, 2w).

    That is linear interpolation at a quarter and three quarters of the way, with the border repeated. As in CUT's code.
    """

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", 4 * _binomial([1, 3, 3, 1]).repeat(channels, 1, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Double features (B, c, h, w)."""
        features = F.pad(features, (1, 1, 1, 1), mode="replicate")  # (B, c, h + 2, w + 2)
        return F.conv_transpose2d(features, self.filt, stride=2, padding=3, groups=len(self.filt))


def _binomial(row: list[float]) -> Tensor:
    """The outer product of a row with itself, of sum 1: (1, 1, k, k)."""
    each = torch.tensor(row, dtype=torch.float32)
    kernel = each[:, None] * each
    return (kernel / kernel.sum())[None, None]

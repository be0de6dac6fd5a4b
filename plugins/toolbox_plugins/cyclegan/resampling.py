"""Layers that halve or double height and width, without checkerboards or aliasing."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def enlarged_convolution(
    features: Tensor, weight: Tensor, bias: Tensor | None = None, beside: Tensor | None = None
) -> Tensor:
    """Nearest-neighbour x2, borders continued, 3x3 convolution: (B, c, h, w) to (B, c', 2h, 2w).

    `weight` is (c', c, 3, 3). Enlarged pixels come in fours that are alike, so neighbours of the kernel are added up,
    and a transposed convolution of 4x4 makes four of the result by 16 products, where 36 would. Reflected by one pixel
    or continued by it, what is enlarged has the same border.

    Args:
        beside: planes (B, k, 2h, 2w) that have that size already, of the weight's last k channels; four pixels are
            channels of one, and their borders are reflected.
    """
    own = weight.shape[1] - (0 if beside is None else beside.shape[1])
    wide = F.pad(weight[:, :own].flip(2, 3).transpose(0, 1), (1, 1, 1, 1))
    rows = wide[:, :, 1:] + wide[:, :, :-1]
    kernel = rows[..., 1:] + rows[..., :-1]
    if beside is not None:
        turned = weight[:, own:].flip(2, 3).transpose(0, 1)  # (k, c', 3, 3)
        places = [F.pad(turned, (right, 1 - right, below, 1 - below)) for below in (0, 1) for right in (0, 1)]
        kernel = torch.cat([kernel, torch.stack(places, 1).flatten(0, 1)])
        last = features.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format  # else the result is copied into the other
        features = torch.cat([features, F.pixel_unshuffle(beside, 2).contiguous(memory_format=layout)], 1)
    features = F.pad(features, (1, 1, 1, 1), mode="replicate")
    return F.conv_transpose2d(features, kernel, bias, stride=2, padding=3)


def blockwise_convolution(features: Tensor, weight: Tensor, bias: Tensor | None, block: int) -> Tensor:
    """A convolution to few planes, faster: (B, c, h, w) of sides in multiples of `block` to (B, c', h-k+1, w-k+1).

    `weight` is (c', c, k, k), and the features are padded by k - 1 in all. Processors compute 16 planes or more at a
    time; the pixels of a block become planes of a strided convolution, whose kernel is that of each in its place.
    """
    spare, steps = block - 1, range(block)
    places = [F.pad(weight, (right, spare - right, below, spare - below)) for below in steps for right in steps]
    kernel = torch.stack(places, 1).flatten(0, 1)  # (c' * block^2, c, k + spare, k + spare)
    wide = None if bias is None else bias.repeat_interleave(block**2)
    return F.pixel_shuffle(F.conv2d(features, kernel, wide, stride=block), block)


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

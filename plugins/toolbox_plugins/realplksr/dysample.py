"""DySample: enlargement by bilinear sampling at points that the features choose."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import constant


def groups_of(channels: int, scale: int) -> int:
    """How many groups of channels are sampled at points of their own: four at even scales, else one a colour."""
    return channels if scale % 2 else 4


def beginnings(scale: int) -> tuple[float, ...]:
    """Where in a pixel the `scale` new ones lie, from its middle, in pixels: -1/4 and 1/4 at x2."""
    return tuple((number - (scale - 1) / 2) / scale for number in range(scale))


class LearnedPlaces(nn.Module):
    """Where `scale` times as many pixels a side look among old ones, for each of `groups` of the `inside` channels.

    Learning to Upsample by Learning to Sample (Liu et al., ICCV 2023), with a dynamic scope: each new pixel looks at
    its own place moved by an offset, in pixels, times half the sigmoid of a scope. Scopes begin at 0, so that an offset
    counts a quarter.
    """

    def __init__(self, inside: int, groups: int, scale: int) -> None:
        super().__init__()
        self.scale, self.groups = scale, groups
        points = 2 * groups * scale**2
        self.offset = nn.Conv2d(inside, points, 1)
        self.scope = nn.Conv2d(inside, points, 1, bias=False)

    def begin(self) -> None:
        """Draw the initial weights, the last of a network's."""
        nn.init.trunc_normal_(self.offset.weight, std=0.02)
        nn.init.zeros_(self.scope.weight)

    def places(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Of features (B, inside, H, W) the rows and columns (B, groups, sH, sW), in old pixels from the border."""
        height, width = features.shape[-2:]
        moved = self.offset(features) * torch.sigmoid(self.scope(features)) / 2  # (B, 2 * groups * scale², H, W)
        moved = moved.float()  # in bfloat16 places are known to a pixel or two
        moved = F.pixel_shuffle(moved, self.scale).unflatten(1, (2, self.groups))  # (B, 2, groups, sH, sW)
        return moved[:, 1] + self._middles(height, moved)[:, None], moved[:, 0] + self._middles(width, moved)

    def _middles(self, length: int, like: Tensor) -> Tensor:
        """The middles of the new pixels along a side, in old pixels from the border."""
        middles = torch.arange(length, dtype=like.dtype, device=like.device) + 0.5
        return (middles[:, None] + constant(beginnings(self.scale), like)).flatten()


class DySample(LearnedPlaces):
    """Features (B, channels * scale², H, W) to images (B, channels, scale*H, scale*W).

    A 1x1 convolution makes colours of what was sampled; not at x1, as published.
    """

    def __init__(self, channels: int, scale: int) -> None:
        inside = channels * scale**2
        super().__init__(inside, groups_of(channels, scale), scale)
        self.project = nn.Conv2d(inside, channels, 1) if scale > 1 else nn.Identity()
        self.begin()

    def forward(self, features: Tensor) -> Tensor:
        """Sample features (B, channels * scale², H, W) to (B, channels, scale*H, scale*W)."""
        height, width = features.shape[-2:]
        rows, columns = self.places(features)
        grid = torch.stack([columns * 2 / width - 1, rows * 2 / height - 1], -1)  # of [-1, 1] across the image
        grid = grid.flatten(0, 1)  # (B * groups, sH, sW, 2)
        if self.training:  # torch's gradient writes anywhere for a place that is no number
            grid = grid.nan_to_num()
        parts = features.unflatten(1, (self.groups, -1)).flatten(0, 1)  # (B * groups, C', H, W)
        found = F.grid_sample(parts.to(grid.dtype), grid, padding_mode="border", align_corners=False)
        return self.project(found.to(features.dtype).unflatten(0, (-1, self.groups)).flatten(1, 2))

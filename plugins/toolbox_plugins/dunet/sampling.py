"""DySample's enlargement, of features, and differentiable twice: penalties need the gradient of a gradient."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 4
"""Groups of channels that look at places of their own."""


class LearnedSampling(nn.Module):
    """Features (B, channels, H, W) to (B, channels, 2H, 2W), each new pixel read between four old ones.

    Learning to Upsample by Learning to Sample (Liu et al., ICCV 2023), with a dynamic scope, as in RealPLKSR; torch's
    grid_sample, which that uses, has no second derivative. `channels` below four have one group each.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.groups = GROUPS if channels % GROUPS == 0 else 1
        self.offset = nn.Conv2d(channels, 8 * self.groups, 1)
        self.scope = nn.Conv2d(channels, 8 * self.groups, 1, bias=False)
        nn.init.trunc_normal_(self.offset.weight, std=0.02)
        nn.init.zeros_(self.scope.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Enlarge features (B, channels, H, W) to (B, channels, 2H, 2W)."""
        moved = self.offset(features) * torch.sigmoid(self.scope(features)) / 2  # (B, 8 * groups, H, W)
        moved = F.pixel_shuffle(moved.float(), 2).unflatten(1, (2, self.groups))  # (B, 2, groups, 2H, 2W), in pixels
        columns, rows = (self._middles(side, moved) for side in (features.shape[-1], features.shape[-2]))
        parts = features.unflatten(1, (self.groups, -1))  # (B, groups, C', H, W)
        return bilinear(parts, moved[:, 1] + rows[:, None], moved[:, 0] + columns).flatten(1, 2).to(features.dtype)

    def _middles(self, length: int, like: Tensor) -> Tensor:
        """Where the new pixels of a side lie, in old pixels from the middle of the first: -1/4, 1/4, 3/4, ..."""
        return torch.arange(2 * length, dtype=like.dtype, device=like.device) / 2 - 0.25


def bilinear(parts: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Values (B, G, C, H, W) read at rows and columns (B, G, h, w), in pixels, to (B, G, C, h, w); edges go on."""
    height, width = parts.shape[-2:]
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    top, left = (
        rows.detach().nan_to_num().floor().clamp(max=max(height - 2, 0)),  # what is no number has no place
        columns.detach().nan_to_num().floor().clamp(max=max(width - 2, 0)),
    )
    down, right = (rows - top)[:, :, None], (columns - left)[:, :, None]  # (B, G, 1, h, w), in [0, 1]
    flat = parts.flatten(-2)

    def read(below: int, beside: int) -> Tensor:
        row, column = (top.long() + below).clamp(max=height - 1), (left.long() + beside).clamp(max=width - 1)
        at = (row * width + column).flatten(-2)[:, :, None].expand(-1, -1, flat.shape[2], -1)
        return flat.gather(-1, at).unflatten(-1, rows.shape[-2:])

    upper = read(0, 0) * (1 - right) + read(0, 1) * right
    lower = read(1, 0) * (1 - right) + read(1, 1) * right
    return upper * (1 - down) + lower * down

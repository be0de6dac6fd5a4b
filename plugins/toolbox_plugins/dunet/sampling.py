"""DySample's enlargement, of features, and differentiable twice: penalties need the gradient of a gradient."""

from __future__ import annotations

from torch import Tensor

from toolbox_plugins.realplksr.dysample import LearnedPlaces

GROUPS = 4
"""Groups of channels that look at places of their own."""


class LearnedSampling(LearnedPlaces):
    """Features (B, channels, H, W) to (B, channels, 2H, 2W), each new pixel read between four old ones.

    DySample as in RealPLKSR; torch's grid_sample, which that uses, has no second derivative. `channels` that are no
    multiple of four have one group.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, GROUPS if channels % GROUPS == 0 else 1, 2)
        self.begin()

    def forward(self, features: Tensor) -> Tensor:
        """Enlarge features (B, channels, H, W) to (B, channels, 2H, 2W)."""
        rows, columns = (each - 0.5 for each in self.places(features))  # from the middle of the first pixel
        parts = features.unflatten(1, (self.groups, -1))  # (B, groups, C', H, W)
        return bilinear(parts, rows, columns).flatten(1, 2).to(features.dtype)


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

"""DySample's enlargement, of features, and differentiable twice: penalties need the gradient of a gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from toolbox_plugins.realplksr.dysample import LearnedPlaces

GROUPS = 4
"""Groups of channels that look at places of their own."""


class LearnedSampling(LearnedPlaces):
    """Features (B, channels, H, W) to (B, channels, 2H, 2W), each new pixel read between four old ones.

    DySample as in RealPLKSR. `channels` that are no multiple of four have one group.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, GROUPS if channels % GROUPS == 0 else 1, 2)
        self.begin()

    def forward(self, features: Tensor) -> Tensor:
        """Enlarge features (B, channels, H, W) to (B, channels, 2H, 2W)."""
        rows, columns = (each - 0.5 for each in self.places(features))  # from the middle of the first pixel
        parts = features.unflatten(1, (self.groups, -1))  # (B, groups, C', H, W)
        return Reading.apply(parts.to(rows.dtype), rows, columns).flatten(1, 2).to(features.dtype)


class Reading(torch.autograd.Function):
    """`bilinear` by torch's grid_sample, ten times as fast; its gradient, where that is differentiated, by arithmetic.

    grid_sample has no second derivative. Whether one is wanted is known in the backward pass: there gradients are
    recorded then.
    """

    @staticmethod
    def forward(ctx: Any, parts: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Values (B, G, C, H, W) at rows and columns (B, G, h, w): (B, G, C, h, w)."""
        ctx.save_for_backward(parts, rows, columns)
        return sampled(parts, rows, columns)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of values, rows and columns; None where none is needed."""
        again = torch.is_grad_enabled()
        given = ctx.saved_tensors if again else [each.detach().requires_grad_() for each in ctx.saved_tensors]
        with torch.enable_grad():
            made = (bilinear if again else sampled)(*given)
        needed = [each for each, needs in zip(given, ctx.needs_input_grad, strict=True) if needs]
        found = iter(torch.autograd.grad(made, needed, gradients, create_graph=again))
        return tuple(next(found) if needs else None for needs in ctx.needs_input_grad)


def sampled(parts: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """As `bilinear`, by grid_sample: differentiable once."""
    height, width = parts.shape[-2:]
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    spoilt = 0 * (rows + columns).detach()  # NaN where a place is none: grid_sample would read and write anywhere there
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], -1)  # of [-1, 1] across the image
    grid = grid.nan_to_num().flatten(0, 1)
    found = grid_sample(parts.flatten(0, 1), grid, padding_mode="border", align_corners=False)
    return found.unflatten(0, parts.shape[:2]) + spoilt[:, :, None]


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

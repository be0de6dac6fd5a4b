"""Moves of images that are differentiable twice: by whole pixels, and affine ones by bilinear sampling.

torch's own grid_sample has no second derivative on every device, and penalties on a discriminator's slope want one;
a gather has any number of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def with_all_frames(move: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Apply a move of images (B, C, H, W), which treats channels alike, to clips (B, T, C, H, W): all frames as one."""
    return move(images.flatten(1, -3)).unflatten(1, images.shape[1:-2]) if images.dim() > 4 else move(images)


def each_sample(values: Tensor, images: Tensor) -> Tensor:
    """One value per sample (B,), shaped to go with images (B, ..., C, H, W)."""
    return values.view(-1, *[1] * (images.dim() - 1))


def sample_bilinear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Read images (B, C, H, W) at places x and y (B, H', W') in pixels, the border mirrored; (B, C, H', W')."""
    height, width = images.shape[-2:]
    left, top = x.floor(), y.floor()
    across, down = (x - left)[:, None], (y - top)[:, None]  # (B, 1, H', W')
    columns = [mirrored(left.long() + i, width) for i in (0, 1)]
    rows = [mirrored(top.long() + i, height) for i in (0, 1)]
    upper = torch.lerp(at(images, rows[0], columns[0]), at(images, rows[0], columns[1]), across)
    lower = torch.lerp(at(images, rows[1], columns[0]), at(images, rows[1], columns[1]), across)
    return torch.lerp(upper, lower, down)


def at(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pixels of images (B, C, H, W) at whole rows and columns (B, H', W'): (B, C, H', W')."""
    count, channels, height, width = images.shape
    index = (rows * width + columns).flatten(1)[:, None].expand(-1, channels, -1)
    return images.reshape(count, channels, height * width).gather(2, index).view(count, channels, *rows.shape[1:])


def mirrored(index: Tensor, length: int) -> Tensor:
    """Whole places on the line folded back into 0 ... length - 1, the edge pixel once (reflection)."""
    if length == 1:
        return torch.zeros_like(index)
    period = 2 * length - 2
    index = index % period
    return torch.minimum(index, period - index)


def affine(images: Tensor, matrix: Tensor) -> Tensor:
    """Images (B, C, H, W) under matrices (B, 2, 3) from output places to input places, in pixels from the middle."""
    count, _, height, width = images.shape
    y = torch.arange(height, device=images.device, dtype=images.dtype) - (height - 1) / 2
    x = torch.arange(width, device=images.device, dtype=images.dtype) - (width - 1) / 2
    y, x = torch.meshgrid(y, x, indexing="ij")
    # (B, 1, 1) each; as a product of matrices, autocast would round the places to 8 bits
    entries = matrix.reshape(count, 6, 1, 1).unbind(1)
    across = entries[0] * x + entries[1] * y + entries[2]  # (B, H, W)
    down = entries[3] * x + entries[4] * y + entries[5]
    return sample_bilinear(images, across + (width - 1) / 2, down + (height - 1) / 2)

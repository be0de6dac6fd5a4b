"""The surroundings of a hole, cut out of each image of a batch without waiting for the device."""

from __future__ import annotations

import torch
from torch import Tensor


def around(images: Tensor, hole: Tensor, size: int) -> Tensor:
    """The square of `size` pixels (B, C, size, size) around the middle of each hole (B, 1, H, W), inside the image.

    A hole's middle is the mean position of its pixels; without any it is the upper left corner. Sizes beyond the image
    give the whole of it.
    """
    height, width = images.shape[-2:]
    rows = _places(hole.sum((1, 3)), min(size, height))  # (B, size)
    columns = _places(hole.sum((1, 2)), min(size, width))
    number = torch.arange(len(images), device=images.device)[:, None, None]
    return images.movedim(1, -1)[number, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def _places(counts: Tensor, size: int) -> Tensor:
    """Positions (B, size) along one side around the mean of what is counted there (B, length)."""
    positions = torch.arange(counts.shape[1], device=counts.device)
    middle = (counts * positions).sum(1) / counts.sum(1).clamp_min(1)
    first = (middle.round().long() - size // 2).clamp(0, counts.shape[1] - size)
    return first[:, None] + torch.arange(size, device=counts.device)

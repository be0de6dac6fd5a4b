"""What is made of a whole picture before its tiles: what a network measures over all of it, and borders that wrap."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from math import sqrt

import torch
from torch import Tensor, nn

from toolbox.assembly.loading import TrainedOutput
from toolbox.io.resize import resize_to

SURVEYED = 512**2
"""Pixels up to which a picture is looked at as it is, and to which a larger one is shrunk for it."""


def surveyed(network: nn.Module, images: Tensor, device: torch.device) -> AbstractContextManager[None]:
    """Within, `network` is given tiles of these images (B, C, H, W), and knows what it measures over the whole."""
    if not isinstance(network, TrainedOutput):
        return nullcontext()
    height, width = images.shape[-2:]
    shrunk = min(1.0, sqrt(SURVEYED / (height * width)))
    if shrunk < 1:
        images = resize_to(images, (max(1, round(height * shrunk)), max(1, round(width * shrunk)))).clamp(0, 1)
    return network.surveying(images.to(device, memory_format=torch.channels_last))


def wrapped(images: Tensor, margin: int) -> Tensor:
    """Continue images on every side by their opposite side, however small they are."""
    for dim in (-2, -1) if margin else ():
        length = images.shape[dim]
        images = images.index_select(dim, torch.arange(-margin, length + margin) % length)
    return images

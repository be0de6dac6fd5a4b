"""Generators with made-up faults, each with one weight that trains: what the sentinels must notice in a real run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolbox import hookimpl
from toolbox.plugins.hookspecs import Register


class Faulty(nn.Module):
    """Base: the faulty picture of images (B, C, H, W), and a little brightness that is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.brightness = nn.Parameter(torch.zeros(3, 1, 1))

    def fault(self, images: Tensor) -> Tensor:
        """The faulty picture."""
        return images

    def forward(self, images: Tensor) -> Tensor:
        """The faulty picture, a little brighter."""
        return self.fault(images) + 0.01 * self.brightness


class Honest(Faulty):
    """No fault: less contrast."""

    def fault(self, images: Tensor) -> Tensor:
        return 0.1 + 0.8 * images


class Negative(Faulty):
    """Light and dark swapped."""

    def fault(self, images: Tensor) -> Tensor:
        return 1 - images


class Collapsed(Faulty):
    """The same picture of everything."""

    def fault(self, images: Tensor) -> Tensor:
        ramp = torch.linspace(0, 1, images.shape[-1], device=images.device)
        return 0.02 * images + 0.9 * ramp.expand_as(images)


class Gridded(Faulty):
    """A checkerboard of eight levels over it."""

    def fault(self, images: Tensor) -> Tensor:
        rows, columns = (torch.arange(size, device=images.device) for size in images.shape[-2:])
        return images + (1 - 2 * ((rows[:, None] + columns) % 2)) * 8 / 255


class Hiding(Faulty):
    """Gray, with the image in fine print."""

    def fault(self, images: Tensor) -> Tensor:
        return 0.5 + (images - 0.5) / 40


class Revealing(Faulty):
    """Reads the fine print."""

    def fault(self, images: Tensor) -> Tensor:
        return 0.5 + (images - 0.5) * 40


@hookimpl
def register_generators(register: Register) -> None:
    """All of them."""
    for generator in (Honest, Negative, Collapsed, Gridded, Hiding, Revealing):
        register(generator.__name__, generator)

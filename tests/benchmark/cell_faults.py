"""A third party's generators: one that works, and others that fail in every way a benchmark must survive."""

from __future__ import annotations

import os
import signal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from toolbox import hookimpl
from toolbox.plugins.hookspecs import Register


class Stranger(nn.Module):
    """Twice as large, with a colour that is learned."""

    scale = 2

    def __init__(self, *, width: int = 4) -> None:
        super().__init__()
        self.change = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 3, 2H, 2W)."""
        larger = interpolate(images, scale_factor=2, mode="bilinear")
        return larger + 0.1 * self.change(larger)


class Raising(Stranger):
    """Raises when it is trained."""

    def forward(self, images: Tensor) -> Tensor:
        """Raise."""
        if self.training and torch.is_grad_enabled():
            raise RuntimeError("this cell was bound to fail")
        return super().forward(images)


class Greedy(Stranger):
    """Wants 64 GiB when it is trained."""

    def forward(self, images: Tensor) -> Tensor:
        """Ask for more memory than the grid allows."""
        more = torch.zeros(1 << 34).sum() if self.training and torch.is_grad_enabled() else 0.0
        return super().forward(images) + more


class NotANumber(Stranger):
    """Divides zero by zero when it is trained."""

    def forward(self, images: Tensor) -> Tensor:
        """NaN everywhere."""
        larger = super().forward(images)
        return larger * (0 * larger.detach().sum() / 0) if self.training and torch.is_grad_enabled() else larger


class Killed(Stranger):
    """Is killed when it is trained, as by a system that runs out of memory."""

    def forward(self, images: Tensor) -> Tensor:
        """End without a word."""
        if self.training and torch.is_grad_enabled():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(images)


class Unbuildable(Stranger):
    """Cannot be built."""

    def __init__(self) -> None:
        raise OSError("no such device")


@hookimpl
def register_generators(register: Register) -> None:
    """All of them."""
    for generator in (Stranger, Raising, Greedy, NotANumber, Killed, Unbuildable):
        register(generator.__name__, generator)

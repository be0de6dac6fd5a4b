"""Critics whose gradients are known in closed form, and the penalties on them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolbox.contracts.regularizer import Regularizer
from toolbox_plugins.regularizers.consistency import ConsistencyRegularization
from toolbox_plugins.regularizers.slope import R1, R2, DRAGANPenalty, GradientPenalty, Slope

EVERY: list[type[Regularizer]] = [GradientPenalty, DRAGANPenalty, R1, R2, ConsistencyRegularization]
SLOPES: list[type[Slope]] = [GradientPenalty, DRAGANPenalty, R1, R2]
SHAPE = (4, 3, 6, 5)


class Linear(nn.Module):
    """D(x) = w x: its gradient is w at every image."""

    def __init__(self, size: int = 90) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size, dtype=torch.float64))

    def forward(self, images: Tensor) -> list[Tensor]:
        return [(images.flatten(1) @ self.weight)[:, None]]


class Quadratic(nn.Module):
    """D(x) = x A x / 2 with a symmetric A: its gradient is A x. Keeps the images it saw."""

    def __init__(self, size: int = 90) -> None:
        super().__init__()
        self.root = nn.Parameter(torch.randn(size, size, dtype=torch.float64) / size**0.5)
        self.seen: list[Tensor] = []

    @property
    def matrix(self) -> Tensor:
        return (self.root + self.root.T) / 2

    def forward(self, images: Tensor) -> list[Tensor]:
        flat = images.flatten(1)
        self.seen.append(flat.detach())
        return [(flat * (flat @ self.matrix)).sum(1, keepdim=True) / 2]


def pair() -> tuple[Tensor, Tensor]:
    return torch.rand(SHAPE, dtype=torch.float64), torch.rand(SHAPE, dtype=torch.float64)

"""How activations of images are compared with those of a style's pictures, wherever in the picture they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, sqrt

import torch
from torch import Tensor

from .statistics import channel_moments, gram_matrix


class Statistic:
    """Numbers that are measured over all positions, Gram matrices or moments, and their squared difference.

    Args:
        measure: of activations (B, c, h, w), each image's numbers (B, ...).
    """

    def __init__(self, measure: Callable[[Tensor], Tensor]) -> None:
        self.measure = measure

    def describe(self, activations: Tensor) -> Tensor:
        """What is kept of a picture's activations (1, c, h, w)."""
        return self.measure(activations)

    def merged(self, described: Sequence[Tensor]) -> Tensor:
        """The mean over the pictures of a style."""
        return torch.stack([each.double() for each in described]).mean(0).float()

    def size(self, targets: Tensor) -> Tensor:
        """What images without any activation cost, for each style of (styles, ...): (styles,)."""
        return targets.square().flatten(1).sum(1)

    def cost(self, activations: Tensor, targets: Tensor, styles: Tensor) -> Tensor:
        """Of activations (B, c, h, w) against targets (styles, ...), those of numbers (B,): (B,)."""
        return (self.measure(activations) - targets.index_select(0, styles)).square().flatten(1).sum(1)


class Sliced:
    """The sliced Wasserstein distance of the activations as sets of vectors (Heitz et al., 2021).

    In each of some directions, drawn anew each time, both sets' projections are sorted, and their squared differences
    averaged: 0 where the sets are one, while equal Gram matrices leave sets of many kinds.

    Args:
        directions: so many each time.
        points: so many positions of an image at the most, on a grid whose place is drawn each time.
        kept: so many positions of a style's pictures, drawn once.
    """

    def __init__(self, directions: int = 64, points: int = 4096, kept: int = 16384) -> None:
        self.directions, self.points, self.kept = directions, points, kept

    def describe(self, activations: Tensor) -> Tensor:
        """Positions of a picture's activations (1, c, h, w): (1, c, kept)."""
        return self.merged([activations.flatten(2)])

    def merged(self, described: Sequence[Tensor]) -> Tensor:
        """Positions of all pictures of a style (1, c, n) each, all as likely: (1, c, kept)."""
        every = torch.cat(list(described), 2)
        drawn = torch.randperm(every.shape[2], generator=torch.Generator().manual_seed(0))
        return every.index_select(2, drawn.repeat(ceil(self.kept / len(drawn)))[: self.kept].to(every.device))

    def size(self, targets: Tensor) -> Tensor:
        """What images without any activation cost, for each style of (styles, c, kept): (styles,)."""
        return targets.square().flatten(1).mean(1)

    def cost(self, activations: Tensor, targets: Tensor, styles: Tensor) -> Tensor:
        """Of activations (B, c, h, w) against targets (styles, c, kept), those of numbers (B,): (B,)."""
        points = self._some(activations)
        count = min(points.shape[2], targets.shape[2])
        first = int(torch.randint(targets.shape[2] - count + 1, ()))  # on the CPU, as all random places
        wanted = targets[..., first : first + count].index_select(0, styles)
        directions = torch.randn(self.directions, points.shape[1], device=points.device)
        directions = directions / directions.norm(dim=1, keepdim=True)
        found, wanted = ((directions @ each).sort(2).values for each in (points[..., :count], wanted))
        return (found - wanted).square().mean((1, 2))

    def _some(self, activations: Tensor) -> Tensor:
        """Positions on a grid, of activations (B, c, h, w): (B, c, n)."""
        step = max(1, ceil(sqrt(activations.shape[2] * activations.shape[3] / self.points)))
        top, left = (int(torch.randint(min(step, side), ())) for side in activations.shape[2:])
        return activations[..., top::step, left::step].flatten(2)


CRITERIA = {"gram": Statistic(gram_matrix), "moments": Statistic(channel_moments), "sliced": Sliced()}
"""How style may be compared, by the names that configs use."""

"""How activations of images are compared with those of a style's pictures, wherever in the picture they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil, sqrt

import numpy as np
import torch
from torch import Tensor

from .statistics import channel_moments, gram_matrix

THREADS = 8
"""Threads that sort; more take longer to begin than they save."""


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
        wanted = targets[..., first : first + count]
        shared = len(wanted) <= len(styles)  # whichever are fewer are sorted, styles or images
        wanted = wanted if shared else wanted.index_select(0, styles)
        directions = torch.randn(self.directions, points.shape[1], device=points.device)
        directions = directions / directions.norm(dim=1, keepdim=True)
        found, wanted = in_order(directions @ points[..., :count]), in_order(directions @ wanted)
        wanted = wanted.index_select(0, styles) if shared else wanted
        return (found - wanted).square().mean((1, 2))

    def _some(self, activations: Tensor) -> Tensor:
        """Positions on a grid, of activations (B, c, h, w): (B, c, n)."""
        step = max(1, ceil(sqrt(activations.shape[2] * activations.shape[3] / self.points)))
        top, left = (int(torch.randint(min(step, side), ())) for side in activations.shape[2:])
        return activations[..., top::step, left::step].flatten(2)


def in_order(values: Tensor) -> Tensor:
    """Values (..., n), finite, sorted along the last axis, with the gradient that `torch.sort` has.

    On a CPU torch sorts pairs of value and place one comparison at a time; NumPy's vectorised sorts of numbers, with
    the place as the lower half of whole ones where there is a gradient, take half of that, and less without.
    """
    if values.device.type != "cpu" or values.dtype != torch.float32:
        return values.sort(-1).values
    if not (values.requires_grad and torch.is_grad_enabled()):
        return sorted_rows(values.detach().clone(memory_format=torch.contiguous_format))
    bits = values.detach().contiguous().view(torch.int32)
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()  # as whole numbers in the order of the floats
    pairs = sorted_rows((ordered << 32) | torch.arange(values.shape[-1]))
    return values.gather(-1, pairs & 0xFFFFFFFF)


def sorted_rows(numbers: Tensor) -> Tensor:
    """Numbers (..., n) on the CPU, each row sorted in its place, by as many threads as torch has, a few at the most."""
    rows = numbers.reshape(-1, numbers.shape[-1]).numpy()
    count = min(torch.get_num_threads(), THREADS, len(rows))
    if count <= 1:
        rows.sort(-1)
        return numbers
    with ThreadPoolExecutor(count) as threads:
        list(threads.map(lambda part: part.sort(-1), np.array_split(rows, count)))  # without Python's lock
    return numbers


CRITERIA = {"gram": Statistic(gram_matrix), "moments": Statistic(channel_moments), "sliced": Sliced()}
"""How style may be compared, by the names that configs use."""

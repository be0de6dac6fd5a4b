"""The contract of a mixture: a change of training pairs in which other samples of the batch take part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

Pair = dict[str, Tensor]
"""Aligned images of one sample by name, (..., C, H, W) in [0, 1], whose sizes differ by a whole factor."""


class Mixture(ABC):
    """Changes pairs of a training batch on the device, input and target alike: `model: {mixtures: [{type: MixUp}]}`.

    It runs after the degradation, on the images that an algorithm derives and on what it derives them from, `lr` and
    `hr` say. Each sample is changed with `probability`, by one of the same batch.

    Raises:
        ValueError: `probability` is none.
    """

    def __init__(self, *, probability: float = 0.5) -> None:
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be from 0 to 1, got {probability}")
        self.probability = probability

    def mix(self, images: Mapping[str, Tensor], rng: torch.Generator) -> dict[str, Tensor]:
        """Return the batch, images (B, ..., C, H, W) by name, with some of its samples changed.

        `rng` lives on the CPU, so that no number is read from the device; a run's checkpoints keep its state.
        """
        count = len(next(iter(images.values())))
        chosen = (torch.rand(count, generator=rng) < self.probability).tolist()
        partners = torch.randperm(count, generator=rng).tolist()
        samples = [{name: value[number] for name, value in images.items()} for number in range(count)]
        changed = [
            self.change(sample, samples[partner], rng) if hit else sample
            for sample, partner, hit in zip(samples, partners, chosen, strict=True)
        ]
        return {name: torch.stack([each[name] for each in changed]) for name in images}

    @abstractmethod
    def change(self, sample: Pair, partner: Pair, rng: torch.Generator) -> Pair:
        """Return one sample changed; neither is written into. `partner` may be the sample itself."""


def drawn(low: float, high: float, rng: torch.Generator) -> float:
    """A number, each between both as likely."""
    return low + (high - low) * float(torch.rand((), generator=rng))


def beta(shape: float, rng: torch.Generator) -> float:
    """A share from 0 to 1 of the symmetric beta distribution: of 1 each is as likely, of less the ends are."""
    pair = torch.full((2,), shape, dtype=torch.float64)  # torch.distributions' own draw, but of this state
    return float(torch._sample_dirichlet(pair, generator=rng)[0])  # pyright: ignore[reportPrivateImportUsage]

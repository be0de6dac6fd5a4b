"""Exponential moving averages of networks."""

from __future__ import annotations

import torch
from torch import nn

from toolbox.weights.spectral_norm import iterate, singular_vectors


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """average <- decay * average + (1 - decay) * network, for parameters and floating buffers; others are copied.

    Spectral norm's singular vectors are not averaged: where they turn, their average is short, and weights divided by
    what it measures came out four times too large. They follow the averaged weights by a power iteration.
    """
    vectors = singular_vectors(average)
    ours = [*average.parameters(), *average.buffers()]
    theirs = [*network.parameters(), *network.buffers()]
    floating = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.is_floating_point() and id(a) not in vectors]
    averages, values = [a for a, _ in floating], [b.detach() for _, b in floating]
    torch._foreach_lerp_(averages, values, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
    for a, b in zip(ours, theirs, strict=True):
        if not a.is_floating_point():
            a.copy_(b)
    iterate(average)


@torch.no_grad()
def take_average(network: nn.Module, average: nn.Module) -> None:
    """network <- average, for parameters: training goes on from there (switch EMA, Li et al., 2024)."""
    torch._foreach_copy_([*network.parameters()], [*average.parameters()])  # pyright: ignore[reportPrivateImportUsage]

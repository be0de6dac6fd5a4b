"""CUT's small networks that take a generator's features to the sphere on which patches are contrasted."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class PatchProjector(nn.Module):
    """Features of patches, one (B, N, C) for each layer, to unit vectors (B, N, `width`) of the same order.

    Park et al. 2020, section 3.2: a two-layer MLP for each layer, of 256 units. As in their code, weights are drawn by
    Xavier's normal rule times 0.02 and biases are 0; keys are theirs, `mlp_{0,1,...}.{0,2}`. They make the layers in
    the first forward pass, which DistributedDataParallel and optimizers do not see; here they exist from the start.
    """

    supports_half = False  # the weights are tiny

    def __init__(self, *, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        for number, each in enumerate(channels):
            mlp = nn.Sequential(nn.Linear(each, width), nn.ReLU(), nn.Linear(width, width))
            for layer in (mlp[0], mlp[2]):
                assert isinstance(layer, nn.Linear)
                nn.init.xavier_normal_(layer.weight, gain=0.02)
                nn.init.zeros_(layer.bias)
            self.add_module(f"mlp_{number}", mlp)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Project (B, N, C) of each layer to (B, N, width) of length 1."""
        return [normalize(mlp(each), dim=-1) for mlp, each in zip(self.children(), features, strict=True)]


def draw_positions(features: Sequence[Tensor], patches: int) -> list[Tensor]:
    """For maps (B, C, h, w): `patches` places of each image (B, N), none twice, all h * w where there are fewer.

    Drawn from torch's global random state, which checkpoints hold.
    """
    return [
        torch.stack([torch.randperm(each[0, 0].numel(), device=each.device)[:patches] for _ in each])
        for each in features
    ]


def at_positions(features: Sequence[Tensor], positions: Sequence[Tensor]) -> list[Tensor]:
    """Maps (B, C, h, w) at places (B, N) of each: (B, N, C)."""
    return [
        each.flatten(2).gather(2, where[:, None].expand(-1, each.shape[1], -1)).transpose(1, 2)
        for each, where in zip(features, positions, strict=True)
    ]

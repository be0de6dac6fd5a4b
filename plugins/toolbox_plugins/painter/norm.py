"""Instance norm with one scale and offset for each style, whose statistics may be those of a larger picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

EPSILON = 1e-3
"""Added to variances: in a plain picture nothing is worth being enlarged."""
Moments = tuple[Tensor, Tensor]
"""Variance and mean (B, C, 1, 1) of the features of whole images."""


class Statistics:
    """The moments of every norm of a network, in the order in which they come: measured, or those given.

    Args:
        given: what `found` of an earlier pass holds; None measures anew.
    """

    def __init__(self, given: Sequence[Moments] | None = None) -> None:
        self.given = None if given is None else iter(given)
        self.found: list[Moments] = []

    def normalise(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) with mean 0 and variance 1 over their places, or over those of the picture measured."""
        if self.given is None:
            wide = features.float()  # `torch.var_mean` takes ten times as long on a CPU
            mean = wide.mean((2, 3), keepdim=True)
            variance = (wide - mean).square().mean((2, 3), keepdim=True)
            self.found.append((variance, mean))
        else:
            variance, mean = next(self.given)
        scale = (variance + EPSILON).rsqrt()
        return torch.addcmul((-mean * scale).to(features), features, scale.to(features))


class StyledNorm(nn.Module):
    """Conditional instance norm (Dumoulin et al., 2017): what is the style's own is a scale and an offset a channel.

    Args:
        normed: off, nothing is normalised, and only scale and offset are left.
    """

    def __init__(self, channels: int, styles: int, *, normed: bool = True) -> None:
        super().__init__()
        self.normed = normed
        self.scale = nn.Parameter(torch.ones(styles, channels))
        self.offset = nn.Parameter(torch.zeros(styles, channels))

    def forward(self, features: Tensor, shares: Tensor, statistics: Statistics) -> Tensor:
        """Features (B, C, H, W) and the shares (B, styles) of the styles to features."""
        if self.normed:
            features = statistics.normalise(features)
        scale, offset = (shares @ each for each in (self.scale, self.offset))  # (B, C)
        return torch.addcmul(offset[:, :, None, None].to(features), features, scale[:, :, None, None].to(features))


def with_more_styles(network: nn.Module, state: Mapping[str, Any]) -> dict[str, Any]:
    """Weights of a network with fewer styles, as those of the first ones; a new style begins as their mean."""
    made = dict(state)
    for name, own in network.named_parameters():
        given = state.get(name)
        if name.endswith((".scale", ".offset")) and isinstance(given, Tensor) and 0 < len(given) < len(own):
            mean = given.float().mean(0, keepdim=True).expand(len(own) - len(given), -1)
            made[name] = torch.cat([given.float(), mean])
    return made

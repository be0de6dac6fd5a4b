"""Features that are like some feature of the target, wherever it stands."""

from __future__ import annotations

from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import FeatureNetwork, Loss, UserError
from toolbox_plugins.losses.perceptual import check_layers

LEAST = 1e-5
"""Added to the nearest distance, by which the others are divided."""


class ContextualLoss(Loss):
    """The weighted sum, over layers, of -log of how much two sets of activations are alike, places aside.

    Mechrez et al., ECCV 2018, equations 1 to 4: cosine distances of activations around the target's mean, relative to
    the nearest of each of the prediction's; their similarities by exp((1 - d) / `bandwidth`), which add up to 1;
    of each of the target's the best, and the mean of those. For pairs that do not lie on each other exactly, and for
    styles: the two images may differ in size.

    Every activation meets every other one: layers with more than `positions` are averaged down to a grid of so many at
    most, 2048² numbers an image by default.

    Raises:
        UserError: a layer that the network has not or without weight, a bandwidth of 0, no positions.
    """

    def __init__(
        self,
        *,
        features: FeatureNetwork,
        layers: dict[str, float] | None = None,
        bandwidth: float = 0.5,
        positions: int = 2048,
    ) -> None:
        super().__init__()
        self.layers = check_layers(features, {"relu3_2": 1.0} if layers is None else layers)
        if bandwidth <= 0:
            raise UserError(f"bandwidth must be above 0, got {bandwidth}")
        if positions < 1:
            raise UserError(f"positions must be at least 1, got {positions}")
        self.features, self.bandwidth, self.positions = features, bandwidth, positions

    def asks(self, prediction: Tensor, target: Tensor) -> list[tuple[nn.Module, Tensor, list[str]]]:
        """What `forward` is going to ask of the network, so that other losses' layers come in the same pass."""
        return [(self.features, images.float(), list(self.layers)) for images in (prediction, target)]

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare images (B, 3, H, W) and (B, 3, H', W') in [0, 1]; a float32 scalar. The target gets no gradient."""
        if len(prediction) != len(target):
            raise UserError(f"a loss compares batches of one length, got {len(prediction)} and {len(target)}")
        names = list(self.layers)
        found = self.features(prediction.float(), layers=names)  # {name: (B, c, h, w)}
        with torch.no_grad():
            wanted = self.features(target.float(), layers=names)
        terms = [
            weight * -self.alike(self.listed(found[name]), self.listed(wanted[name])).log().mean()
            for name, weight in self.layers.items()
        ]
        return torch.stack(terms).sum()

    def listed(self, activations: Tensor) -> Tensor:
        """Activations (B, c, h, w) as a list (B, c, n) of `positions` at most."""
        activations = activations.float()
        height, width = activations.shape[-2:]
        if height * width > self.positions:
            rows = min(max(isqrt(self.positions * height // width), 1), self.positions)
            activations = F.adaptive_avg_pool2d(activations, (min(rows, height), min(self.positions // rows, width)))
        return activations.flatten(2)

    def alike(self, found: Tensor, wanted: Tensor) -> Tensor:
        """How much two lists (B, c, n) and (B, c, m) are alike, from 1/m to 1: (B,)."""
        mean = wanted.mean(2, keepdim=True)
        first, second = F.normalize(found - mean, dim=1), F.normalize(wanted - mean, dim=1)
        distance = (1 - first.transpose(1, 2) @ second).clamp(min=0)  # (B, n, m)
        relative = distance / (distance.amin(2, keepdim=True) + LEAST)
        shares = torch.softmax((1 - relative) / self.bandwidth, 2)
        return shares.amax(1).mean(1)

    def __repr__(self) -> str:
        """As in the config."""
        return (
            f"ContextualLoss(features={self.features!r}, layers={self.layers}, bandwidth={self.bandwidth}, "
            f"positions={self.positions})"
        )

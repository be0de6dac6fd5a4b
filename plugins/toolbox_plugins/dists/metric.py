"""DISTS as a metric."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox_plugins.metrics.deep import DeepMetric

from .similarity import SmoothVGG16, channel_weights, dissimilarity


class DISTS(DeepMetric):
    """Deep image structure and texture similarity (Ding et al. 2020). Less is better, 0 for equal images.

    `weights` and `heads` are as in `DISTSLoss`. The image is compared at its own size: the authors' script makes the
    shorter side 256 pixels first, so figures of larger images are not the same.
    """

    name = "dists"

    def __init__(
        self,
        *,
        prediction: str,
        reference: str,
        weights: str | None = None,
        heads: str | None = None,
        crop: int = 0,
        quantize: bool = True,
        baseline: bool = True,
    ) -> None:
        self.learned = channel_weights(heads)
        super().__init__(
            prediction=prediction, reference=reference, features=SmoothVGG16(weights=weights or SmoothVGG16.official),
            layers=SmoothVGG16.taps, crop=crop, quantize=quantize, baseline=baseline,
        )  # fmt: skip

    @property
    def protocol(self) -> str:
        return f"dists[{self.setting},vgg16,fullsize]"

    @torch.no_grad()
    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Compare two images (3, H, W) in [0, 1]."""
        pairs = self.activations(prediction, reference)  # (2, c, h, w) of each layer
        weights = self.learned.to(pairs[0].device)
        return float(dissimilarity([pair[:1] for pair in pairs], [pair[1:] for pair in pairs], weights))

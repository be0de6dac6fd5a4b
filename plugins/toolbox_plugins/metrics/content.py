"""How much of what an image shows is lost in its translation."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import FeatureNetwork, UserError, did_you_mean

from .deep import DeepMetric


class ContentDistance(DeepMetric):
    """Mean squared difference of one layer's activations to those of the input: Johnson's content loss, as a metric.

    With `normalize`, every channel is brought to mean 0 and deviation 1 first (instance normalisation), which takes
    away much of the style: then 0 is kept and 2 unrelated. 0 is best, and what doing nothing reaches, so it says
    nothing alone: read it beside a distance to the style. `layer` is the network's deepest by default.
    """

    def __init__(
        self,
        *,
        prediction: str,
        reference: str,
        features: FeatureNetwork,
        layer: str | None = None,
        normalize: bool = False,
        crop: int = 0,
        quantize: bool = True,
        baseline: bool = True,
    ) -> None:
        """`reference` is the input's name, such as `real_a`."""
        chosen: str = layer or [*getattr(features, "taps", features.layers)][-1]
        if chosen not in features.layers:
            name = type(features).__name__
            raise UserError(f"layer: {name} has no layer {chosen!r}{did_you_mean(chosen, features.layers)}")
        super().__init__(
            prediction=prediction, reference=reference, features=features, layers=[chosen], crop=crop,
            quantize=quantize, baseline=baseline,
        )  # fmt: skip
        self.normalize = normalize
        self.name = f"{getattr(features, 'short_name', type(features).__name__.lower())}_content"

    @property
    def protocol(self) -> str:
        scaled = "instance" if self.normalize else "raw"
        return f"{self.name}[{self.setting},{type(self.features).__name__}:{self.layers[0]},mse,{scaled}]"

    @torch.no_grad()
    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Compare an image (3, H, W) in [0, 1] with its input of the same size."""
        (pair,) = self.activations(prediction, reference)  # (2, c, h, w)
        if self.normalize:
            deviation = pair.std(dim=(2, 3), correction=0, keepdim=True)
            pair = (pair - pair.mean(dim=(2, 3), keepdim=True)) / (deviation + 1e-5)
        return float((pair[0] - pair[1]).square().mean())

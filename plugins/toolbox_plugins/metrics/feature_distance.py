"""The distance of two images in the activations of any frozen network."""

from __future__ import annotations

from torch import Tensor

from toolbox import FeatureNetwork, UserError, did_you_mean

from .deep import DeepMetric


class FeatureDistance(DeepMetric):
    """Squared distance of unit activation vectors: mean over positions, then over layers. 0 to 4; less is better.

    The "baseline" of Zhang et al. 2018, without LPIPS's learned weights of channels: figures of one network and one
    set of layers compare among themselves, never with LPIPS. It is called after the network: `lite0_distance` with
    `features: {type: EfficientNetLite0}`, the one whose weights come from a package registry. `layers` are the
    network's `taps` where it names any, or else all that it knows.
    """

    def __init__(
        self,
        *,
        prediction: str,
        reference: str,
        features: FeatureNetwork,
        layers: list[str] | None = None,
        crop: int = 0,
        quantize: bool = True,
        baseline: bool = True,
    ) -> None:
        chosen = getattr(features, "taps", features.layers) if layers is None else layers
        if not chosen:
            raise UserError(f"layers must name at least one layer of {type(features).__name__}")
        for layer in chosen:
            if layer not in features.layers:
                raise UserError(
                    f"layers: {type(features).__name__} has no layer {layer!r}{did_you_mean(layer, features.layers)}"
                )
        super().__init__(
            prediction=prediction, reference=reference, features=features, layers=chosen, crop=crop,
            quantize=quantize, baseline=baseline,
        )  # fmt: skip
        self.name = f"{getattr(features, 'short_name', type(features).__name__.lower())}_distance"

    @property
    def protocol(self) -> str:
        return f"{self.name}[{self.setting},{type(self.features).__name__}:{'+'.join(self.layers)},unit,no_lpips]"

    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Compare two images (3, H, W) in [0, 1]."""
        distances = [float(each.sum(dim=0).mean()) for each in self.differences(prediction, reference)]
        return sum(distances) / len(distances)

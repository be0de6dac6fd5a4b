"""How far a restyled image keeps the light and shade of what it shows."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import PairedMetric

REC601 = (0.299, 0.587, 0.114)


class LuminanceCorrelation(PairedMetric):
    """Pearson correlation of two images' Rec. 601 luminance: 1 kept, 0 lost, -1 inverted. More is better.

    Blind to colour, brightness and contrast, so it tells content from style: a style transfer that changes the
    palette keeps it near 1, one that has forgotten its input drops to 0.
    """

    name = "luminance_correlation"

    @property
    def protocol(self) -> str:
        return "luminance_correlation[rec601,pearson,float]"

    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Compare two images (3, H, W) in [0, 1]; 0 where either has one luminance throughout.

        Raises ValueError where the sizes differ or the images have no 3 channels.
        """
        if prediction.shape != reference.shape or reference.shape[0] != 3:
            raise ValueError(
                f"LuminanceCorrelation: {self.prediction} {tuple(prediction.shape)} and {self.reference} "
                f"{tuple(reference.shape)} must be of one size with 3 channels"
            )
        lights = []
        for image in (prediction, reference):
            light = torch.einsum("c,chw->hw", image.new_tensor(REC601, dtype=torch.float64), image.double().clamp(0, 1))
            lights.append(light - light.mean())
        norm = float(lights[0].norm() * lights[1].norm())
        # Rounding leaves about 1e-13 of a flat image; one pixel one level off the rest leaves 1e-3.
        return float((lights[0] * lights[1]).sum()) / norm if norm > 1e-9 else 0.0

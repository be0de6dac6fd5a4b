"""Structural similarity."""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from .fidelity import FidelityMetric

MARGIN = 5
"""Half of the 11-pixel window: nearer to the border the window would hang over."""


class SSIM(FidelityMetric):
    """Mean structural similarity (Wang et al. 2004), per image and channel, 1 for equal images. More is better.

    Gaussian window of 11 pixels and sigma 1.5, K 0.01 and 0.03, only where the window lies inside the image: the
    paper's setting and BasicSR's. Libraries' defaults differ from it by up to 0.014.
    """

    name = "ssim"
    smallest = 2 * MARGIN + 1

    @property
    def protocol(self) -> str:
        return f"ssim[{self.setting},gauss11,valid]"

    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Compare two images (C, H, W) in [0, 1]."""
        _, similarity = structural_similarity_index_measure(
            *self.prepare(prediction, reference), data_range=255.0, return_full_image=True
        )
        # torchmetrics pads and averages over the padded map as well
        return float(similarity[..., MARGIN:-MARGIN, MARGIN:-MARGIN].mean())

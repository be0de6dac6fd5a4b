"""Structural similarity at five scales."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .fidelity import FidelityMetric
from .ssim import MARGIN, similarity

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, the finest first (Wang et al. 2003, section 3.2)."""


class MSSSIM(FidelityMetric):
    """Multi-scale structural similarity (Wang et al. 2003), per image, 1 for equal images. More is better.

    Contrast and structure at five scales, halved by 2x2 means (an odd last row or column is dropped), luminance at
    the coarsest alone. Windows as in `SSIM`, and only where they lie inside the image, so that the coarsest scale
    must have 11 pixels and the image 176. A mean below 0, whose power is no number, counts as 0.
    """

    name = "ms_ssim"
    smallest = (2 * MARGIN + 1) * 2 ** (len(WEIGHTS) - 1)

    @property
    def protocol(self) -> str:
        return f"ms_ssim[{self.setting},gauss11,valid,{len(WEIGHTS)}scales]"

    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Compare two images (C, H, W) in [0, 1]."""
        first, second = self.prepare(prediction, reference)  # (1, C', H', W')
        product = 1.0
        for weight in WEIGHTS[:-1]:
            _, contrast = similarity(first, second)
            product *= max(float(contrast.mean()), 0.0) ** weight
            first, second = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
        luminance, contrast = similarity(first, second)
        return product * max(float((luminance * contrast).mean()), 0.0) ** WEIGHTS[-1]

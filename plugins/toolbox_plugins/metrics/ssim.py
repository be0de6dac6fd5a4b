"""Structural similarity."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .fidelity import FidelityMetric

MARGIN = 5
"""Half of the 11-pixel window: nearer to the border the window would hang over."""
SIGMA = 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


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
        luminance, contrast = similarity(*self.prepare(prediction, reference))
        return float((luminance * contrast).mean())


def similarity(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Compare the windows of two images (B, C, H, W) of 0 to 255.

    Returns:
        Luminance, and contrast times structure, of every window that lies inside: (B, C, H - 10, W - 10) each.
        Wang et al. 2004, equation 6, and the product of 9 and 10 with C3 = C2 / 2.
    """
    products = (first * first, second * second, first * second)
    mean_1, mean_2, square_1, square_2, both = windows(torch.stack((first, second, *products)))
    variance_1, variance_2, covariance = square_1 - mean_1**2, square_2 - mean_2**2, both - mean_1 * mean_2
    luminance = (2 * mean_1 * mean_2 + C1) / (mean_1**2 + mean_2**2 + C1)
    return luminance, (2 * covariance + C2) / (variance_1 + variance_2 + C2)


def windows(images: Tensor) -> Tensor:
    """Gaussian means (..., H - 10, W - 10) of the windows of images (..., H, W)."""
    place = torch.arange(-MARGIN, MARGIN + 1, dtype=images.dtype, device=images.device)
    line = torch.exp(-(place**2) / (2 * SIGMA**2))
    line = line / line.sum()
    planes = images.reshape(-1, 1, *images.shape[-2:])
    planes = F.conv2d(F.conv2d(planes, line.view(1, 1, -1, 1)), line.view(1, 1, 1, -1))
    return planes.reshape(*images.shape[:-2], *planes.shape[-2:])

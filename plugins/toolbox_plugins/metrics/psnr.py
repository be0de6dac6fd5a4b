"""Peak signal-to-noise ratio."""

from __future__ import annotations

from torch import Tensor

from .fidelity import FidelityMetric


class PSNR(FidelityMetric):
    """10 log10(255^2 / mean squared error) in dB, per image; infinite for equal images. More is better."""

    name = "psnr"

    @property
    def protocol(self) -> str:
        return f"psnr[{self.setting},peak255]"

    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Compare two images (C, H, W) in [0, 1]."""
        first, second = self.prepare(prediction, reference)
        return float(10 * (255**2 / (first - second).square().mean()).log10())

"""Peak signal-to-noise ratio."""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from .fidelity import FidelityMetric


class PSNR(FidelityMetric):
    """10 log10(255^2 / mean squared error) in dB, per image; infinite for equal images. More is better."""

    name = "psnr"

    @property
    def protocol(self) -> str:
        return f"psnr[{self.setting},peak255]"

    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Compare two images (C, H, W) in [0, 1]."""
        return float(peak_signal_noise_ratio(*self.prepare(prediction, reference), data_range=255.0))

"""What restoration is trained with today: structure, frequencies, wavelets, gradients, colours as seen, context."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_losses(register: Register) -> None:
    from .contextual import ContextualLoss
    from .focal_frequency import FocalFrequencyLoss
    from .gradient_variance import GradientVarianceLoss
    from .ms_ssim import MSSSIMLoss
    from .oklab import OklabLoss
    from .wavelet import WaveletLoss

    register("MSSSIMLoss", MSSSIMLoss)
    register("OklabLoss", OklabLoss)
    register("FocalFrequencyLoss", FocalFrequencyLoss)
    register("WaveletLoss", WaveletLoss)
    register("GradientVarianceLoss", GradientVarianceLoss)
    register("ContextualLoss", ContextualLoss)

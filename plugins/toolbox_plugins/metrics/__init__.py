"""Metrics of an image against its reference."""

from __future__ import annotations

from toolbox.hookspecs import Register, hookimpl


@hookimpl
def register_metrics(register: Register) -> None:
    from .luminance import LuminanceCorrelation
    from .psnr import PSNR
    from .ssim import SSIM

    register("PSNR", PSNR)
    register("SSIM", SSIM)
    register("LuminanceCorrelation", LuminanceCorrelation)

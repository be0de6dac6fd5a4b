"""Metrics of an image against its reference, of an image alone, of two sets of images, and of motion."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_metrics(register: Register) -> None:
    from .artfid import ArtFID
    from .color_histogram import ColorHistogramDistance
    from .content import ContentDistance
    from .feature_distance import FeatureDistance
    from .fid import FID
    from .gram import GramDistance
    from .kid import KID
    from .lpips import LPIPS
    from .luminance import LuminanceCorrelation
    from .msssim import MSSSIM
    from .niqe import NIQE
    from .psnr import PSNR
    from .ssim import SSIM
    from .tecogan import TLP, TOF
    from .warping import RelativeWarpingError, WarpingError

    register("PSNR", PSNR)
    register("SSIM", SSIM)
    register("MSSSIM", MSSSIM)
    register("NIQE", NIQE)
    register("LPIPS", LPIPS)
    register("FeatureDistance", FeatureDistance)
    register("LuminanceCorrelation", LuminanceCorrelation)
    register("KID", KID)
    register("FID", FID)
    register("ArtFID", ArtFID)
    register("ContentDistance", ContentDistance)
    register("GramDistance", GramDistance)
    register("ColorHistogramDistance", ColorHistogramDistance)
    register("WarpingError", WarpingError)
    register("RelativeWarpingError", RelativeWarpingError)
    register("TOF", TOF)
    register("TLP", TLP)

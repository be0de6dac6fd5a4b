"""Degradations: how the low-resolution or damaged input is made of the good image."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_degradations(register: Register) -> None:
    from .bicubic import BicubicDegradation
    from .blur import Blur, DefocusBlur, MotionBlur, SincFilter
    from .bsrgan import BSRGANDegradation
    from .damage import Dust, Folds, MissingRegions, Scratches
    from .jpeg_stage import JPEG
    from .noise import CorrelatedNoise, GaussianNoise, PoissonNoise, Quantize
    from .real_esrgan import RealESRGANDegradation
    from .resize import FinalResize, RandomResize
    from .sharpen import Sharpen
    from .stages import OneOf, Shuffle, Stages

    register("BicubicDegradation", BicubicDegradation)
    for preset in (RealESRGANDegradation, BSRGANDegradation):
        register(preset.__name__, preset)
    for container in (Stages, OneOf, Shuffle):
        register(container.__name__, container)
    for stage in (Blur, SincFilter, DefocusBlur, MotionBlur, RandomResize, FinalResize, Sharpen):
        register(stage.__name__, stage)
    for stage in (GaussianNoise, PoissonNoise, CorrelatedNoise, JPEG, Quantize):
        register(stage.__name__, stage)
    for stage in (Scratches, Dust, Folds, MissingRegions):
        register(stage.__name__, stage)

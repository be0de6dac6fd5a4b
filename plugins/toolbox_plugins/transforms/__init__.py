"""Transforms: crops, flips, sizes, style oracles that make ground truth, and colour transfer without training."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_transforms(register: Register) -> None:
    from .color_transfer import HistogramTransfer, ReinhardTransfer
    from .geometry import CenterCrop, ModCrop, RandomCrop, RandomFlip, Resize, Shrink
    from .kuwahara import KuwaharaFilter
    from .naming import Copy
    from .oracle import InkOracle, PaletteOracle
    from .video import VideoCompression

    for transform in (
        CenterCrop,
        Copy,
        HistogramTransfer,
        InkOracle,
        KuwaharaFilter,
        ModCrop,
        PaletteOracle,
        RandomCrop,
        RandomFlip,
        ReinhardTransfer,
        Resize,
        Shrink,
        VideoCompression,
    ):
        register(transform.__name__, transform)

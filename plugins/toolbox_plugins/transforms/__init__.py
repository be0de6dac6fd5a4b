"""Transforms: crops, flips and sizes of one sample's images, and style oracles that make ground truth."""

from __future__ import annotations

from toolbox.hookspecs import Register, hookimpl


@hookimpl
def register_transforms(register: Register) -> None:
    from .geometry import CenterCrop, ModCrop, RandomCrop, RandomFlip, Resize
    from .naming import Copy
    from .oracle import InkOracle, PaletteOracle
    from .video import VideoCompression

    for transform in (
        CenterCrop,
        Copy,
        InkOracle,
        ModCrop,
        PaletteOracle,
        RandomCrop,
        RandomFlip,
        Resize,
        VideoCompression,
    ):
        register(transform.__name__, transform)

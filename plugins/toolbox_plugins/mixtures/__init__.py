"""Augmentations of training pairs in which two samples take part: MixUp, CutMix, ResizeMix; and CutBlur."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_mixtures(register: Register) -> None:
    from .blending import MixUp
    from .pasting import CutBlur, CutMix, ResizeMix

    register("MixUp", MixUp)
    register("CutMix", CutMix)
    register("ResizeMix", ResizeMix)
    register("CutBlur", CutBlur)

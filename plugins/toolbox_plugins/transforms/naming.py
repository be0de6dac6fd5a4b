"""Transforms that change under which names a sample holds its images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from toolbox import Images, Sizes, Transform, UserError

T = TypeVar("T")


class Copy(Transform):
    """Keeps the image `source` a second time as `target`, so that a later transform may change one of the two."""

    def __init__(self, *, source: str, target: str) -> None:
        self.source, self.target = source, target

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        return {**images, self.target: named(images, self.source, self).copy()}

    def sizes_after(self, sizes: Sizes) -> Sizes:
        return painted(sizes, self.source, self.target, self)


def named(images: Mapping[str, T], name: str, transform: Transform) -> T:
    """Look up one image (H, W, C) or its size, or say which names there are."""
    if name not in images:
        raise UserError(f"{type(transform).__name__}: the sample has no image {name!r}; it has {', '.join(images)}")
    return images[name]


def coloured(images: Images, name: str, transform: Transform) -> np.ndarray:
    """Look up one image of three channels of 8 bits (H, W, 3). Raises UserError for any other."""
    image = named(images, name, transform)
    if image.ndim != 3 or image.shape[2] != 3:
        raise UserError(f"{type(transform).__name__}: needs images of 3 channels, got {image.shape}")
    if image.dtype != np.uint8:
        raise UserError(f"{type(transform).__name__}: needs images of 8 bits, got {image.dtype}")
    return image


def painted(sizes: Sizes, source: str, target: str, transform: Transform) -> Sizes:
    """The sizes of a sample after a transform that makes `target` out of `source`, as large as it is."""
    return {**sizes, target: named(sizes, source, transform)}

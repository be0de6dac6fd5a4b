"""Transforms that change under which names a sample holds its images."""

from __future__ import annotations

import numpy as np

from toolbox import Images, Transform, UserError


class Copy(Transform):
    """Keeps the image `source` a second time as `target`, so that a later transform may change one of the two."""

    def __init__(self, *, source: str, target: str) -> None:
        self.source, self.target = source, target

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        return {**images, self.target: named(images, self.source, self).copy()}


def named(images: Images, name: str, transform: Transform) -> np.ndarray:
    """Look up one image (H, W, C), or say which names there are."""
    if name not in images:
        raise UserError(f"{type(transform).__name__}: the sample has no image {name!r}; it has {', '.join(images)}")
    return images[name]

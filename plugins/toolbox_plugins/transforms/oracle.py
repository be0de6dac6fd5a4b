"""Style oracles: fixed filters that stand in for a painter, so that a style has a ground truth.

Domain B of a training set is made by an oracle out of *other* photographs; training stays unpaired. On held-out
photographs the output can then be compared with the oracle's. That measures a system, not the beauty of its style.
"""

from __future__ import annotations

import cv2
import numpy as np

from toolbox import Images, Sizes, Transform

from .naming import named, painted


class PaletteOracle(Transform):
    """A flattened, warm and darkened picture: three bilateral filters, then curves in CIE Lab. Easily learned.

    Reads `source` and writes `target`, by default in place; deterministic.
    """

    stands_in = True

    def __init__(self, *, source: str, target: str | None = None) -> None:
        self.source, self.target = source, target or source

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        return {**images, self.target: palette(named(images, self.source, self))}

    def sizes_after(self, sizes: Sizes) -> Sizes:
        return painted(sizes, self.source, self.target, self)


class InkOracle(Transform):
    """Flat washes and dark lines: OpenCV's edge-aware stylization (Gastal and Oliveira 2011). Hard to learn.

    Reads `source` and writes `target`, by default in place; deterministic.
    """

    stands_in = True

    def __init__(self, *, source: str, target: str | None = None) -> None:
        self.source, self.target = source, target or source

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        return {**images, self.target: ink(named(images, self.source, self))}

    def sizes_after(self, sizes: Sizes) -> Sizes:
        return painted(sizes, self.source, self.target, self)


def palette(image: np.ndarray) -> np.ndarray:
    """Paint (H, W, 3) uint8 RGB with the palette oracle; the same shape and type."""
    for _ in range(3):
        image = cv2.bilateralFilter(image, d=7, sigmaColor=40, sigmaSpace=5)
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)  # L in [0, 100], a and b about +-127
    lightness, a, b = lab[..., 0] / 100, lab[..., 1], lab[..., 2]
    painted = np.stack(
        [
            100 * 0.92 * lightness**1.25,
            0.7 * a + 10 + 8 * (lightness - 0.5),
            0.6 * b + 22 * (1 - np.abs(2 * lightness - 1)) + 6,
        ],
        axis=-1,
    )
    rgb = cv2.cvtColor(painted.astype(np.float32), cv2.COLOR_LAB2RGB)
    return (rgb.clip(0, 1) * 255).round().astype(np.uint8)


def ink(image: np.ndarray) -> np.ndarray:
    """Paint (H, W, 3) uint8 RGB with the ink oracle; the same shape and type."""
    bgr = np.ascontiguousarray(image[..., ::-1])  # OpenCV's order
    return np.ascontiguousarray(cv2.stylization(bgr, sigma_s=60, sigma_r=0.45)[..., ::-1])

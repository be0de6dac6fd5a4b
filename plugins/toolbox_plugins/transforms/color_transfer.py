"""Colour alone, without training: what every learned style transfer has to beat."""

from __future__ import annotations

from abc import abstractmethod

import cv2
import numpy as np

from toolbox import Images, Sizes, Transform, images_at, read_image
from toolbox.io.search import place

from .naming import coloured, painted

LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
"""RGB to the responses of the eye's cones (Reinhard et al. 2001, equation 4)."""
OPPONENT = np.diag([1 / 3**0.5, 1 / 6**0.5, 1 / 2**0.5]) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])
"""Their logarithms to l, alpha and beta, which are hardly correlated in photographs (equation 6)."""
DARKEST = 0.25 / 255
"""Logarithms begin here: a quarter of a level, so that black stays black."""
REC601 = np.array([0.299, 0.587, 0.114])
QUANTILES = 4096


class ColorTransfer(Transform):
    """Base of ReinhardTransfer and HistogramTransfer: gives `source` the colours of `style`, a file or a folder.

    Writes `target`, by default in place; deterministic. With `preserve_luminance` every pixel gets its Rec. 601
    luminance back, as far as RGB can show it, so that only hue and saturation change. Of a folder each image counts
    the same, whatever its size.
    """

    def __init__(self, *, source: str, target: str | None, style: str, preserve_luminance: bool) -> None:
        self.source, self.target, self.preserve_luminance = source, target or source, preserve_luminance
        self.style = self.summed_up([self.encode(read_image(file)) for file in images_at(place(style))])

    @abstractmethod
    def encode(self, image: np.ndarray) -> np.ndarray:
        """Turn (H, W, 3) uint8 into (H*W, 3) float64 of a decorrelated space."""

    @abstractmethod
    def decode(self, colours: np.ndarray) -> np.ndarray:
        """The way back: (n, 3) to RGB, in [0, 1] but for what RGB cannot show."""

    @abstractmethod
    def summed_up(self, images: list[np.ndarray]) -> np.ndarray:
        """What has to be known of the style's images (n, 3)."""

    @abstractmethod
    def moved(self, colours: np.ndarray) -> np.ndarray:
        """Colours (n, 3) as the style has them."""

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        image = coloured(images, self.source, self)
        painted = self.decode(self.moved(self.encode(image))).reshape(image.shape)
        if self.preserve_luminance:  # the same amount on R, G and B leaves the differences of colour as they are
            painted += ((image / 255.0 - painted) @ REC601)[..., None]
        return {**images, self.target: (painted.clip(0, 1) * 255).round().astype(np.uint8)}

    def sizes_after(self, sizes: Sizes) -> Sizes:
        return painted(sizes, self.source, self.target, self)


class ReinhardTransfer(ColorTransfer):
    """Mean and deviation of each channel of l-alpha-beta become the style's (Reinhard et al. 2001).

    The other arguments are ColorTransfer's. A baseline for an evaluation: `{type: Copy, source: real_a, target:
    reinhard}`, then `{type: ReinhardTransfer, source: reinhard, style: paintings}`, and metrics with `prediction:
    reinhard`.
    """

    def __init__(self, *, source: str, style: str, target: str | None = None, preserve_luminance: bool = False) -> None:
        super().__init__(source=source, target=target, style=style, preserve_luminance=preserve_luminance)

    def encode(self, image: np.ndarray) -> np.ndarray:
        cones = image.reshape(-1, 3) / 255.0 @ LMS.T
        return np.log10(cones.clip(DARKEST)) @ OPPONENT.T

    def decode(self, colours: np.ndarray) -> np.ndarray:
        return 10 ** (colours @ np.linalg.inv(OPPONENT).T) @ np.linalg.inv(LMS).T

    def summed_up(self, images: list[np.ndarray]) -> np.ndarray:
        """Mean and deviation of all images together, (2, 3)."""
        mean = np.mean([image.mean(axis=0) for image in images], axis=0)
        square = np.mean([((image - mean) ** 2).mean(axis=0) for image in images], axis=0)
        return np.stack([mean, square**0.5])

    def moved(self, colours: np.ndarray) -> np.ndarray:
        mean, deviation = colours.mean(axis=0), colours.std(axis=0)
        scale = np.where(deviation > 1e-9, self.style[1] / np.maximum(deviation, 1e-9), 1)  # one colour has no contrast
        return (colours - mean) * scale + self.style[0]


class HistogramTransfer(ColorTransfer):
    """The histograms of L, a and b (CIE Lab) become the style's, each by itself; equal colours stay equal.

    Stronger than two moments, and sooner at fault: where the style has few colours, noise and banding grow. The other
    arguments are ColorTransfer's.
    """

    def __init__(self, *, source: str, style: str, target: str | None = None, preserve_luminance: bool = False) -> None:
        super().__init__(source=source, target=target, style=style, preserve_luminance=preserve_luminance)

    def encode(self, image: np.ndarray) -> np.ndarray:
        return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float64)

    def decode(self, colours: np.ndarray) -> np.ndarray:
        return cv2.cvtColor(colours.astype(np.float32)[None], cv2.COLOR_LAB2RGB)[0].astype(np.float64)

    def summed_up(self, images: list[np.ndarray]) -> np.ndarray:
        """The values of all images together in ascending order, as many of each, (3, n)."""
        shares = (np.arange(QUANTILES) + 0.5) / QUANTILES
        return np.sort(
            np.concatenate([np.quantile(image, shares, axis=0, method="hazen") for image in images]), axis=0
        ).T

    def moved(self, colours: np.ndarray) -> np.ndarray:
        shares = (np.arange(self.style.shape[1]) + 0.5) / self.style.shape[1]
        return np.stack([_matched(colours[:, i], shares, self.style[i]) for i in range(3)], axis=1)


def _matched(values: np.ndarray, shares: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Replace each value by the style's of the same rank; ties have the middle of their ranks."""
    ordered = np.sort(values)
    ranks = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.interp(ranks / (2 * len(values)), shares, style)

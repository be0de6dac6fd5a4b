"""Flicker as warping error: what is left of a frame after the one before it was moved onto it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from toolbox import Frame, UserError
from toolbox.video.flow import Method, warped

from .clip_pixels import Motion, MotionMetric, pixels

THOUSAND = 1e3
_ROUNDING = 2 / 12 / 255**2
"""Squared difference that rounding two frames to 8 bits leaves: what a still film has instead of 0."""


def warping_error(before: np.ndarray, now: np.ndarray, motion: Motion) -> float:
    """Mean squared difference of a frame (H, W, C) and the one before, moved onto it, where the motion is known."""
    if not motion.agrees.any():
        return 0.0
    difference = now - warped(before, motion.flow).reshape(now.shape)
    return float(np.square(difference).mean(axis=2)[motion.agrees].mean())


def gradient_energy(image: np.ndarray) -> float:
    """Mean squared gradient of an image (H, W, C), by Sobel's filters divided by 8: levels a pixel."""
    across, down = cv2.Sobel(image, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(image, cv2.CV_32F, 0, 1, scale=1 / 8)
    return float(np.square(across).mean() + np.square(down).mean())


class WarpingError(MotionMetric):
    """Warping error with occlusion mask (Lai et al., ECCV 2018), mean squared in [0, 1], times 1000. Less is better.

    Flow is measured on the reference, forward and backward; where the two do not meet nothing is compared. Bicubic
    sampling. `of`: the `image` itself, for style, whose reference is the source film; or its `error`, prediction minus
    reference, for super-resolution, where blur would pass as steady. Between frames of two scenes nothing is measured.

    Blur and low contrast lower that of the image: read it beside `RelativeWarpingError`.
    """

    def __init__(
        self, *, prediction: str, reference: str, of: str = "image", method: Method = "dis-medium",
        baseline: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(prediction=prediction, reference=reference, method=method, baseline=baseline)
        if of not in ("image", "error"):
            raise UserError(f"of must be image or error, got {of!r}")
        self.of = of
        self.name = "warping_error" if of == "image" else "warping_error_of_error"

    @property
    def protocol(self) -> str:
        return f"{self.name}[{self.setting},forward-backward,cubic,mse,x1000]"

    def compare(self, before: Frame, now: Frame, motion: Motion) -> tuple[float, ...]:
        """The warping error of two frames."""
        error = self.of == "error"
        return (THOUSAND * warping_error(as_floats(before, error), as_floats(now, error), motion),)


class RelativeWarpingError(MotionMetric):
    """Warping error over gradient energy, relative to the reference's: 1 as steady as the source. Less is better.

    Steadier under blur and contrast than the warping error alone. Both are means over the film, and of warping errors
    the rounding to 8 bits is part, so that a still film can be measured.
    """

    name = "relative_warping_error"

    def __init__(
        self, *, prediction: str, reference: str, method: Method = "dis-medium", baseline: bool = True
    ) -> None:
        super().__init__(prediction=prediction, reference=reference, method=method, baseline=baseline)

    @property
    def protocol(self) -> str:
        return f"{self.name}[{self.setting},forward-backward,cubic,mse,sobel3]"

    def compare(self, before: Frame, now: Frame, motion: Motion) -> tuple[float, ...]:
        """Warping error and gradient energy of the prediction, and of the reference."""
        found: list[float] = []
        for first, second in zip(before, now, strict=True):  # the prediction's frames, then the reference's
            later = pixels(second).astype(np.float32) / 255
            earlier = pixels(first).astype(np.float32) / 255
            found += [warping_error(earlier, later, motion) + _ROUNDING, gradient_energy(later)]
        return tuple(found)

    def total(self, parts: Sequence[tuple[float, ...]]) -> float:
        """The ratio of the film's means."""
        error, energy, own_error, own_energy = np.mean(parts, axis=0)
        if min(energy, own_energy) == 0:
            raise ValueError("RelativeWarpingError: a film of one colour has no gradient")
        return float(error / energy / (own_error / own_energy))


def as_floats(frame: Frame, error: bool) -> np.ndarray:
    """A prediction, or what it has more than its reference: (H, W, C) float32."""
    prediction = pixels(frame.prediction).astype(np.float32) / 255
    return prediction - pixels(frame.reference).astype(np.float32) / 255 if error else prediction

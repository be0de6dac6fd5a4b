"""How far the flow between two frames may be trusted, pixel by pixel, and what stands in for it where it may not."""

from __future__ import annotations

import cv2
import numpy as np

from toolbox.video.flow import gray_of

_TEXTURE = 4.0
"""Contrast at which a flow is sure of itself."""
_AROUND = ((3e-2, 15), (1e-3, 63), (1e-4, 201))
"""Weights and sides of the windows from which flow is filled: the nearest that knows anything decides."""
_LEVELS, _CONTRAST, _PAINTED = 6.0, 0.5, 12.0
"""Tolerated difference in levels; more of it per level of contrast, where sampling alone differs; more in paintings."""

_STRAIN = 0.25
"""Pixels a pixel by which neighbours may be pulled apart from one frame to the next."""


def contrast_of(frame: np.ndarray) -> np.ndarray:
    """Mean gradient around each pixel of a frame (H, W, C) uint8, in levels a pixel: (H, W) float32."""
    gray = gray_of(frame)
    slopes = cv2.magnitude(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    return cv2.blur(slopes, (5, 5)) / 8


def filled(flow: np.ndarray, agrees: np.ndarray, contrast: np.ndarray) -> np.ndarray:
    """A flow (H, W, 2) that moves flat and unsure places as the sure ones around them.

    `agrees` (H, W) is `agreeing`'s, `contrast` (H, W) `contrast_of`'s. On a wall without texture flow is arbitrary: it
    fits the source, and smears what a network painted there.
    """
    trusted = agrees * np.minimum(1, contrast / _TEXTURE)
    weighed = np.dstack([flow * trusted[..., None], trusted]).astype(np.float32)
    total = weighed + 1e-6 * weighed.mean(axis=(0, 1))
    total[..., 2] += 1e-12  # where nothing is known, nothing moves
    for share, side in _AROUND:
        total += share * cv2.blur(weighed, (side, side), borderType=cv2.BORDER_REPLICATE)
    return total[..., :2] / total[..., 2:]


def evenness_of(flow: np.ndarray) -> np.ndarray:
    """Where a flow (H, W, 2) moves a neighbourhood as one, 1, and where it tears or stirs it, to 0: (H, W)."""
    torn = np.zeros(flow.shape[:2], np.float32)
    for axis in (0, 1):
        along = np.ascontiguousarray(flow[..., axis])
        torn += np.square(cv2.Sobel(along, cv2.CV_32F, 1, 0, scale=1 / 8))
        torn += np.square(cv2.Sobel(along, cv2.CV_32F, 0, 1, scale=1 / 8))
    return np.exp(-cv2.blur(torn, (5, 5)) / _STRAIN**2)


def match_of(
    now: np.ndarray,
    moved: np.ndarray,
    agrees: np.ndarray,
    contrast: np.ndarray,
    painted: np.ndarray,
    sure: np.ndarray,
) -> np.ndarray:
    """How far a frame goes with the one before, `moved` to it: (H, W) from 0 to 1.

    Where flow forward and back do not meet, flat places still go together if they look alike; so do those that are
    `sure` (H, W), from 0 to 1. Where it is `painted`, likeness is asked for less: strokes that stay are worth more
    than strokes that are right.
    """
    differs = cv2.absdiff(now, moved).reshape(*now.shape[:2], -1).mean(axis=2, dtype=np.float32)
    tolerated = _LEVELS + _CONTRAST * contrast + _PAINTED * painted
    alike = np.exp(-np.square(cv2.blur(differs, (3, 3)) / tolerated))
    return alike * np.maximum(agrees, np.maximum(sure, 1 - np.minimum(1, contrast / _TEXTURE)))

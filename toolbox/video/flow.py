"""Where the pixels of one frame lie in another: dense optical flow, its check, and frames warped by it.

Flow is OpenCV's: DIS (Kroeger et al., ECCV 2016) and Farnebäck (SCIA 2003); nothing is downloaded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

Method = Literal["dis-fast", "dis-medium", "farneback"]
Sampling = Literal["linear", "cubic", "lanczos"]

METHODS: tuple[Method, ...] = ("dis-fast", "dis-medium", "farneback")
SAMPLINGS: dict[str, int] = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}
FARNEBACK = (0.5, 3, 15, 3, 5, 1.2, 0)
"""Pyramid, levels, window, iterations, neighbourhood, sigma, flags: those of TecoGAN's tOF (Chu et al. 2020)."""
_SMALLEST = 32
"""DIS ends the whole process on strips that are narrower; they are continued up to it."""
_LONGEST = 32_766
"""OpenCV's remap counts coordinates in 16 bits."""

_ALIKE, _SAME_SCENE = 25, 0.25
"""Levels of gray by which what moves may change; the part of the pixels that must be found again within a scene."""


def gray_of(frame: np.ndarray) -> np.ndarray:
    """A frame (H, W), (H, W, 1) or (H, W, 3) RGB, uint8, uint16 or floats in [0, 1], as flow sees it: (H, W) uint8."""
    if frame.dtype == np.uint16:
        frame = cv2.convertScaleAbs(frame, alpha=255 / 65535)
    elif frame.dtype != np.uint8:
        frame = (frame.clip(0, 1) * 255).round().astype(np.uint8)
    frame = frame[..., 0] if frame.ndim == 3 and frame.shape[2] == 1 else frame
    return np.ascontiguousarray(frame) if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def dense_flow(first: np.ndarray, second: np.ndarray, method: Method = "dis-medium") -> np.ndarray:
    """Where each pixel of `first` lies in `second`: (H, W, 2) float32, x and y in pixels.

    `first` at x is `second` at x + flow, so that `warped(second, flow)` looks like `first`. Frames are as `gray_of`
    takes them. The result is the same whatever the number of threads.

    Raises:
        ValueError: the frames differ in size, or the method is unknown.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if first.shape[:2] != second.shape[:2]:
        raise ValueError(f"frames must be of one size, got {first.shape[:2]} and {second.shape[:2]}")
    height, width = first.shape[:2]
    more = max(0, _SMALLEST - height), max(0, _SMALLEST - width)
    one, other = gray_of(first), gray_of(second)
    if any(more):
        one = cv2.copyMakeBorder(one, 0, more[0], 0, more[1], cv2.BORDER_REPLICATE)
        other = cv2.copyMakeBorder(other, 0, more[0], 0, more[1], cv2.BORDER_REPLICATE)
    start = np.zeros((*one.shape, 2), np.float32)
    if method == "farneback":
        flow = cv2.calcOpticalFlowFarneback(one, other, start, *FARNEBACK)
    else:
        preset = cv2.DISOPTICAL_FLOW_PRESET_FAST if method == "dis-fast" else cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
        flow = cv2.DISOpticalFlow.create(preset).calc(one, other, start)
    return np.ascontiguousarray(flow[:height, :width])


def warped(image: np.ndarray, flow: np.ndarray, sampling: Sampling = "cubic") -> np.ndarray:
    """An image (H, W) or (H, W, C) sampled where the flow (H, W, 2) points; borders are repeated, the type is kept.

    Raises:
        ValueError: the sizes differ, or a side is longer than OpenCV samples.
    """
    if image.shape[:2] != flow.shape[:2]:
        raise ValueError(f"image and flow must be of one size, got {image.shape[:2]} and {flow.shape[:2]}")
    if max(image.shape[:2]) > _LONGEST:
        raise ValueError(f"a side must be {_LONGEST} pixels at most, got {image.shape[0]}x{image.shape[1]}")
    places = flow + _grid(*flow.shape[:2])
    across, down = np.ascontiguousarray(places[..., 0]), np.ascontiguousarray(places[..., 1])
    made = cv2.remap(image, across, down, SAMPLINGS[sampling], borderMode=cv2.BORDER_REPLICATE)
    return made.reshape(image.shape)


def agreeing(flow: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Where a flow and the one back meet: (H, W) bool, False where something is covered or leaves the frame.

    `|f(x) + b(x + f(x))|^2 <= 0.01 (|f|^2 + |b|^2) + 0.5` (Sundaram et al., ECCV 2010).
    """
    returned = warped(back, flow, "linear")
    apart = _squared(flow + returned)
    places = flow + _grid(*flow.shape[:2])
    height, width = flow.shape[:2]
    inside = (
        (places[..., 0] >= 0) & (places[..., 0] <= width - 1) & (places[..., 1] >= 0) & (places[..., 1] <= height - 1)
    )
    return inside & (apart <= 0.01 * (_squared(flow) + _squared(returned)) + 0.5)


def is_cut(first: np.ndarray, second: np.ndarray, agrees: np.ndarray) -> bool:
    """Whether two frames, `second` already warped to `first`, are of two scenes: hardly a pixel goes with another.

    `agrees` is what `agreeing` says of their flow. A flash is one too.
    """
    alike = cv2.absdiff(gray_of(first), gray_of(second)) <= _ALIKE
    return float((agrees & alike).mean()) < _SAME_SCENE


def _squared(flow: np.ndarray) -> np.ndarray:
    return flow[..., 0] ** 2 + flow[..., 1] ** 2


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2).astype(np.float32)

"""Levels of the types that pictures have, and the last step from a network's floats to them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from toolbox.io.resize import resize_to

LEVELS = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65_535.0, np.dtype(np.float32): 1.0}
"""The value that is white."""
DEPTHS = {np.dtype(np.uint8): cv2.CV_8U, np.dtype(np.uint16): cv2.CV_16U}
"""OpenCV's words for the types that hold integers."""
FAR = 2.0**31 / 65_536
"""Times white it is no integer of 32 bits any more."""
PART = 65_536
"""Pixels that are written at a time."""


def typed(floats: np.ndarray, levels: float, dtype: np.dtype) -> np.ndarray:
    """Values in [0, 1] as levels of a type: clamped, and rounded to the nearest where it holds integers."""
    values = np.clip(floats, 0, 1) * np.float32(levels)
    return values if dtype == np.float32 else np.rint(values, out=values).astype(dtype)


def put(images: Tensor, there: np.ndarray, levels: float) -> None:
    """Write float32 images (N, C, H, W) as pixels (N, H, W, C) of an array's type: `typed`, three times as fast.

    OpenCV scales, rounds (halves to even) and clamps in one pass, a part at a time that stays in the processor's cache.
    Not for NaN, nor for values above `FAR`.
    """
    if there.dtype not in DEPTHS:
        there[...] = typed(images.permute(0, 2, 3, 1).numpy(), levels, there.dtype)
        return

    if levels < LEVELS[there.dtype]:  # white is not the type's highest, at which OpenCV would clamp
        images = images.clamp(max=1)

    def rounded(values: np.ndarray) -> np.ndarray:
        return cv2.addWeighted(values, levels, values, 0, 0, dtype=DEPTHS[there.dtype])

    height, width, channels = there.shape[1:]
    rows = max(1, PART // width)
    for image, place in zip(images.numpy(), there, strict=True):
        for top in range(0, height, rows):
            part, made = image[:, top : top + rows], place[top : top + rows]
            if images.stride(1) == 1:  # channels last: a row of colours is a row of numbers
                made[...] = rounded(part.transpose(1, 2, 0).reshape(-1, width * channels)).reshape(made.shape)
            else:
                made[...] = cv2.merge([rounded(plane) for plane in part]).reshape(made.shape)


def outscaled(array: np.ndarray, size: tuple[int, int], levels: float, dtype: np.dtype, white: float) -> np.ndarray:
    """Pixels (H, W, C) of `levels` resized to `size` as levels up to `white`, a channel at a time to spare memory."""
    made = np.empty((*size, array.shape[2]), dtype)
    for channel in range(array.shape[2]):
        plane = torch.from_numpy(array[..., channel].astype(np.float32)).div_(levels)
        plane = resize_to(plane[None, None], size).clamp_(0, 1)[0, 0].numpy()
        made[..., channel] = typed(plane, white, dtype)
    return made

"""Levels of the types that pictures have, and the last step from a network's floats to them."""

from __future__ import annotations

import numpy as np
import torch

from toolbox.io.resize import resize_to

LEVELS = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65_535.0, np.dtype(np.float32): 1.0}
"""The value that is white."""


def typed(floats: np.ndarray, levels: float, dtype: np.dtype) -> np.ndarray:
    """Values in [0, 1] as levels of a type: clamped, and rounded to the nearest where it holds integers."""
    values = np.clip(floats, 0, 1) * np.float32(levels)
    return values if dtype == np.float32 else np.rint(values, out=values).astype(dtype)


def outscaled(array: np.ndarray, size: tuple[int, int], levels: float, dtype: np.dtype, white: float) -> np.ndarray:
    """Pixels (H, W, C) of `levels` resized to `size` as levels up to `white`, a channel at a time to spare memory."""
    made = np.empty((*size, array.shape[2]), dtype)
    for channel in range(array.shape[2]):
        plane = torch.from_numpy(array[..., channel].astype(np.float32)).div_(levels)
        plane = resize_to(plane[None, None], size).clamp_(0, 1)[0, 0].numpy()
        made[..., channel] = typed(plane, white, dtype)
    return made

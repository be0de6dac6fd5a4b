"""Before and after: a frame enlarged plainly, and its result, side by side."""

from __future__ import annotations

import cv2
import numpy as np


def side_by_side(source: np.ndarray, result: np.ndarray) -> np.ndarray:
    """A source frame (H, W, 3), brought to the size of its result (sH, sW, 3) bicubically, to the left of it."""
    height, width = result.shape[:2]
    before = source if source.shape == result.shape else cv2.resize(
        np.ascontiguousarray(source), (width, height), interpolation=cv2.INTER_CUBIC
    )  # fmt: skip
    return np.concatenate([before.astype(result.dtype, copy=False), result], axis=1)

"""Colours where a picture has none: continued from what lies around, so that a network sees no edge of nothing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad


def filled(array: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Pixels (H, W, C) as float32, with those that are not known continued from those that are.

    `known` (H, W, 1 or C) weighs what is continued, in [0, 1]; where it is over 0 a pixel stays as it is. A channel of
    which nothing is known stays too. Pull and push (Gortler et al. 1996, The Lumigraph, section 3.4): averages of ever
    coarser grids fill the gaps of the finer ones, each from its nearest.
    """
    weights = torch.from_numpy(np.ascontiguousarray(np.moveaxis(known, -1, 0), dtype=np.float32))[None]
    values = np.array(np.moveaxis(array, -1, 0), np.float32, order="C")  # a copy, which is written to
    values[np.broadcast_to(np.moveaxis(known, -1, 0) <= 0, values.shape) & ~np.isfinite(values)] = 0
    made = _continued(torch.from_numpy(values)[None], weights)[0]
    return np.moveaxis(made.numpy(), 0, -1)


def _continued(values: Tensor, weights: Tensor) -> Tensor:
    """Values (1, C, H, W) continued to where weights (1, 1 or C, H, W) are 0."""
    height, width = values.shape[-2:]
    if max(height, width) == 1 or bool((weights > 0).all()):
        return values
    even = (0, width % 2, 0, height % 2)
    sums = avg_pool2d(pad(values * weights, even), 2)  # (1, C, H/2, W/2)
    parts = avg_pool2d(pad(weights, even), 2)
    coarse = _continued(sums / parts.clamp_min(1e-12), (parts > 0).float())
    around = interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)[..., :height, :width]
    anything = (weights > 0).flatten(2).any(-1)[..., None, None]
    return torch.where((weights > 0) | ~anything, values, around)

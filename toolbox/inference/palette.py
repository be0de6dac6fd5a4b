"""Pictures of few colours, such as sprites: a result in the same colours, numbered by a palette as its input was."""

from __future__ import annotations

import numpy as np
from PIL import Image

FEW = 64
"""A palette of up to so many colours is taken for a drawing's, which are kept; more are a photograph's."""
_AT_ONCE = 1 << 20


def colours_of(array: np.ndarray) -> np.ndarray | None:
    """The colours (N, C) of pixels (H, W, C) uint8, or None for more than 256."""
    found = np.unique(_keys(array))
    if len(found) > 256:
        return None
    return (found[:, None] >> (8 * np.arange(array.shape[2])) & 255).astype(np.uint8)


def in_colours(array: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Pixels (H, W, C) uint8 in the nearest of `colours` (N, C), by distance with colours weighed by transparency."""
    flat, made = array.reshape(-1, array.shape[2]), np.empty((array.shape[0] * array.shape[1]), np.uint8)
    wanted = _weighed(colours)
    for start in range(0, len(flat), _AT_ONCE // max(1, len(colours) // 16)):
        part = _weighed(flat[start : start + _AT_ONCE // max(1, len(colours) // 16)])  # (M, C)
        far = (part**2).sum(1, keepdims=True) - 2 * part @ wanted.T + (wanted**2).sum(1)
        made[start : start + len(part)] = far.argmin(1)
    return colours[made].reshape(array.shape)


def as_palette(array: np.ndarray, colours: np.ndarray, *, one_clear: bool = False) -> Image.Image | None:
    """Pixels of these colours alone as a palette picture; None where there are others, or more than 256.

    `one_clear`: what is transparent has one number, as GIF wants it; else each has its transparency, as PNG does.
    """
    if len(colours) > 256 or array.shape[2] != colours.shape[1]:
        return None
    keys = _keys(colours)
    order = np.argsort(keys)
    found = np.searchsorted(keys, _keys(array), sorter=order).clip(0, len(keys) - 1)
    numbers = order[found].astype(np.uint8)
    if not np.array_equal(colours[numbers], array):
        return None
    image = Image.fromarray(numbers, "P")
    image.putpalette(np.ascontiguousarray(colours[:, :3]).tobytes())
    if colours.shape[1] == 4 and not one_clear:
        image.info["transparency"] = colours[:, 3].tobytes()
    clear = np.flatnonzero(colours[:, 3] == 0) if colours.shape[1] == 4 else []
    if one_clear and len(clear):
        image = Image.fromarray(np.where(np.isin(numbers, clear), clear[0], numbers).astype(np.uint8), "P")
        image.putpalette(np.ascontiguousarray(colours[:, :3]).tobytes())
        image.info["transparency"] = int(clear[0])
    return image


def _keys(array: np.ndarray) -> np.ndarray:
    """One number for each colour (..., 3 or 4)."""
    return (array.astype(np.int64) << (8 * np.arange(array.shape[-1]))).sum(-1)


def _weighed(array: np.ndarray) -> np.ndarray:
    """Colours as distances are measured between them: what is transparent is alike, whatever its colour."""
    values = array.astype(np.float32)
    if array.shape[1] == 4:
        values[:, :3] *= values[:, 3:] / 255
    return values

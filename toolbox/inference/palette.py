"""Pictures of few colours, such as sprites: a result in the same colours, numbered by a palette as its input was."""

from __future__ import annotations

import numpy as np
from PIL import Image

FEW = 64
"""A palette of up to so many colours is taken for a drawing's, which are kept; more are a photograph's."""
_STRIP = 1 << 20
"""Pixels that are looked at together."""


def colours_of(array: np.ndarray) -> np.ndarray | None:
    """The colours (N, C) of pixels (H, W, C) uint8, or None for more than 256."""
    found = np.empty(0, np.int64)
    rows = max(1, _STRIP // max(1, array.shape[1]))
    for top in range(0, array.shape[0], rows):  # the numbers of a large picture at once would take gigabytes
        found = np.union1d(found, _keys(array[top : top + rows]))
        if len(found) > 256:
            return None
    return (found[:, None] >> (8 * np.arange(array.shape[2])) & 255).astype(np.uint8)


def in_colours_of(array: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Pixels (H', W', C) uint8 in colours that `source` (h, w, C) has there or beside it: each takes the nearest.

    Distance weighs colours by transparency. Of the nine pixels around its place alone, so that between yellow and blue
    no gray appears that another corner of the picture happens to have.
    """
    rows = np.arange(array.shape[0]) * source.shape[0] // array.shape[0]
    columns = np.arange(array.shape[1]) * source.shape[1] // array.shape[1]
    around = np.pad(source, ((1, 1), (1, 1), (0, 0)), mode="edge")
    wanted = _weighed(array)
    best, least = np.empty_like(array), np.full(array.shape[:2], np.inf, np.float32)
    for y, x in sorted(np.ndindex(3, 3), key=lambda at: abs(at[0] - 1) + abs(at[1] - 1)):  # its own place first
        colours = around[rows + y][:, columns + x]
        far = ((_weighed(colours) - wanted) ** 2).sum(-1)
        nearer = far < least
        best[nearer], least[nearer] = colours[nearer], far[nearer]
    return best


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
    if array.shape[-1] in (2, 4):
        values[..., :-1] *= values[..., -1:] / 255
    return values

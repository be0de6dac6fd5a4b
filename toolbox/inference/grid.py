"""Sprite sheets and tile sets: cells of a grid are enlarged each for itself, so that none bleeds into the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolbox.inference.picture import Picture
from toolbox.io.errors import UserError

Cell = tuple[int, int, Picture]
"""Its row and column in pixels, and what it shows."""


def cells(picture: Picture, side: int) -> list[Cell]:
    """The cells of `side` pixels, row by row; at the right and below what is left of one."""
    height, width = picture.array.shape[:2]
    return [
        (y, x, picture.with_pixels(picture.array[y : y + side, x : x + side], alpha=picture.alpha))
        for y in range(0, height, side)
        for x in range(0, width, side)
    ]


def joined(picture: Picture, parts: Sequence[Cell], results: Sequence[Picture]) -> Picture:
    """The results in the places of their cells.

    Raises:
        UserError: a cell has come out at a size that is no whole multiple, so that places do not fit.
    """
    scale = results[0].array.shape[0] / parts[0][2].array.shape[0]
    height, width = picture.array.shape[:2]
    if round(width * scale) != width * scale or round(height * scale) != height * scale:
        raise UserError(f"--grid: a picture of {width}x{height} pixels times {scale:g} is no whole number of pixels")
    first = results[0]
    array = np.empty((round(height * scale), round(width * scale), first.array.shape[2]), first.array.dtype)
    for (y, x, _), result in zip(parts, results, strict=True):
        top, left = round(y * scale), round(x * scale)
        there = array[top : top + result.array.shape[0], left : left + result.array.shape[1]]
        if there.shape != result.array.shape or top != y * scale or left != x * scale:
            raise UserError(f"--grid: cells at {scale:g} times their size have no whole number of pixels")
        there[...] = result.array
    return picture.with_pixels(array, alpha=first.alpha).keeping(first)

"""Colours under transparency: a network sees visible ones continued, and a result has no fringe over any background."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from toolbox.inference.filling import filled
from toolbox.inference.levels import LEVELS
from toolbox.inference.picture import Picture
from toolbox.io.resize import resize_to

Restore = Callable[[Picture], Picture]
"""Makes a result whole again with what was kept from the network."""


def under_transparency(
    picture: Picture, kind: str, compute: Callable[[Picture], Picture]
) -> tuple[Picture, Restore] | None:
    """A picture as the network should see it, and what makes its result whole; None where nothing is to be done.

    What lies under full transparency is mostly one colour, such as black, which would bleed into what is seen: visible
    colours are continued there. Where it is a picture of its own (a texture whose fourth channel holds other data), it
    is computed too, and put where the result is fully transparent. Transparency that is the same everywhere stays so.

    Args:
        kind: `network`, `resize` or `drop`, as of `Options.alpha`.
        compute: the network on a picture without transparency.
    """
    if not picture.alpha:
        return None
    colours, alpha = picture.array[..., :-1], picture.array[..., -1:]
    bare = picture.with_pixels(colours, alpha=False)
    if alpha.min() == alpha.max():
        return bare, lambda made: made if kind == "drop" else _with_constant(made, alpha[0, 0, 0])
    hidden = colours[alpha[..., 0] == 0]  # (N, C)
    if not len(hidden):
        return None
    varied = bool((hidden != hidden[0]).any())
    if kind == "drop" and varied:
        return None  # colours may be of use without their transparency, and say so
    seen = filled(colours, alpha.astype(np.float32) / float(alpha.max()))
    seen = seen if colours.dtype.kind == "f" else np.rint(seen).astype(colours.dtype)
    prepared = picture.with_pixels(np.concatenate([seen, alpha], axis=2), alpha=True)

    def restore(made: Picture) -> Picture:
        if kind == "drop":
            plane = torch.from_numpy(alpha[..., 0].astype(np.float32))[None, None]
            gone = resize_to(plane, made.array.shape[:2])[0, 0].numpy() <= 0
            return _put_back(made, gone, hidden[:1][None])
        if not (varied and made.alpha):
            return made
        return _put_back(made, made.array[..., -1] == 0, compute(bare).array)

    return prepared, restore


def with_levels_of_colours(picture: Picture, white: float) -> tuple[Picture, Restore] | None:
    """Transparency in the levels of colours whose white is not the type's highest, and what undoes it; None: it is.

    White is said of colours: 12 bits in a PNG of 16 are opaque at 65,535, and floats up to 255 mostly at 1.
    """
    highest = LEVELS[picture.array.dtype]
    if not picture.alpha or white == highest:
        return None
    top = float(picture.array[..., -1].max())
    opaque = min((level for level in (white, highest) if level >= top), default=white)
    if opaque == white:
        return None

    def times(picture: Picture, factor: float) -> Picture:
        array = picture.array.copy()
        alpha = array[..., -1] * np.float32(factor)
        array[..., -1] = alpha if array.dtype.kind == "f" else np.rint(alpha)
        return picture.with_pixels(array, alpha=True)

    return times(picture, white / opaque), lambda made: times(made, opaque / white) if made.alpha else made


def _with_constant(made: Picture, level: np.generic) -> Picture:
    plane = np.full((*made.array.shape[:2], 1), level, made.array.dtype)
    return made.with_pixels(np.concatenate([made.array, plane], axis=2), alpha=True)


def _put_back(made: Picture, gone: np.ndarray, colours: np.ndarray) -> Picture:
    """The result with `colours` where nothing is seen; a painter's stay where it has turned gray into colour."""
    if colours.shape[2] != made.colours:
        return made
    array = made.array.copy()
    array[..., : made.colours] = np.where(gone[..., None], colours, array[..., : made.colours])
    return made.with_pixels(array, alpha=made.alpha)

"""Normal maps: directions, not colours. Each axis is enlarged by itself, and vectors get their length of 1 back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from toolbox.inference.picture import Picture
from toolbox.io.errors import UserError

Compute = Callable[[Sequence[Picture]], list[Picture]]


def enlarged_normals(picture: Picture, keeps_colors: bool, compute: Compute) -> Picture:
    """A normal map (H, W, 3, and transparency if it has any), whose channels hold x, y, z from -1 (black) to 1 (white).

    Raises:
        UserError: there are not three channels, or the network paints.
    """
    called = picture.name or "the picture"
    if picture.colours != 3:
        raise UserError(f"{called}: has {picture.colours} channels, and --normals wants the three of vectors")
    if not keeps_colors:
        raise UserError(f"{called}: --normals wants a network that enlarges, and this one paints colours of its own")
    planes = [picture.with_pixels(picture.array[..., axis : axis + 1], alpha=False) for axis in range(3)]
    if picture.alpha:
        planes.append(picture.with_pixels(picture.array[..., 3:], alpha=False))
    made = np.concatenate([plane.array for plane in compute(planes)], axis=2)
    white = 1.0 if made.dtype.kind == "f" else float(np.iinfo(made.dtype).max)
    array = np.concatenate([as_levels(unit(made[..., :3] / white * 2 - 1), made.dtype), made[..., 3:]], axis=2)
    return picture.with_pixels(array, alpha=picture.alpha)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) at a length of 1; where there is none, straight up."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(lengths < 1e-6, [0.0, 0.0, 1.0], vectors / np.maximum(lengths, 1e-6))


def as_levels(vectors: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Components from -1 to 1 as levels of a type."""
    if dtype.kind == "f":
        return ((vectors + 1) / 2).astype(dtype)
    return np.rint((vectors + 1) / 2 * np.iinfo(dtype).max).astype(dtype)

"""The masks beside pictures, for outputs of several sources: found by name, and laid on as further channels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from toolbox.inference.picture import Picture, read_picture
from toolbox.io.errors import UserError
from toolbox.io.images import find_images


def with_masks(picture: Picture, file: Path, masks: Mapping[str, str], channels: int) -> Picture:
    """A picture with its masks as further channels, `channels` in all; transparency is left out, gray repeated.

    Args:
        masks: for each source its file, one for all pictures, or its folder, in which masks have the pictures' names.

    Raises:
        UserError: a mask is missing or of another size.
    """
    colours = picture.array[..., : picture.colours]
    wanted = channels - len(masks)
    planes = [colours.repeat(wanted, 2) if colours.shape[2] == 1 else colours]
    for name, place in masks.items():
        found = mask_of(file, name, Path(place))
        mask = read_picture(found)
        if mask.array.shape[:2] != picture.array.shape[:2]:
            sizes = ["x".join(map(str, each.array.shape[1::-1])) for each in (mask, picture)]
            raise UserError(f"{found}: is {sizes[0]}, and {file} is {sizes[1]}; a mask has its picture's size")
        planes.append(as_type(mask.array[..., :1], picture.array.dtype))
    return picture.with_pixels(np.concatenate(planes, axis=2), alpha=False)


def mask_of(file: Path, name: str, place: Path) -> Path:
    """The mask of a picture: the place itself, or what has the picture's name in it."""
    if place.is_file():
        return place
    found = next((each for each in find_images(place) if each.stem == file.stem), None)
    if found is None:
        raise UserError(f"--set {name}={place}: holds no mask for {file} (an image called {file.stem})")
    return found


def as_type(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Levels of one type as those of another: 255 of 8 bits is 65,535 of 16, and 1.0."""
    highest = [1.0 if kind.kind == "f" else float(np.iinfo(kind).max) for kind in (array.dtype, dtype)]
    values = array.astype(np.float32) * np.float32(highest[1] / highest[0])
    return values if dtype.kind == "f" else np.rint(values).astype(dtype)

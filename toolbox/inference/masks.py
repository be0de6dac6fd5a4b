"""The masks beside pictures, for outputs of several sources: found by name, and laid on as further channels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

import numpy as np

from toolbox.inference.picture import Picture, read_picture
from toolbox.io.errors import UserError
from toolbox.io.images import find_images


class Masks:
    """The masks of one source: a file for all pictures, or a folder in which masks have the pictures' names.

    A folder is looked through once. Of several masks of one name, that is taken whose folders are called like the
    picture's.

    Raises:
        UserError: the file is no picture, the folder holds none.
    """

    def __init__(self, name: str, place: str | Path) -> None:
        self.name, self.place = name, Path(place)
        self.only = read_picture(self.place) if self.place.is_file() else None
        self.named: dict[str, list[Path]] = defaultdict(list)
        for each in [] if self.only else find_images(self.place):
            self.named[each.stem].append(each)

    def of(self, file: Path) -> tuple[Path, Picture]:
        """The mask of a picture, and where it is. Raises UserError where there is none, or more than one."""
        if self.only:
            return self.place, self.only
        found = self.named.get(file.stem, [])
        closest = max((_shared(each, file) for each in found), default=0)
        found = [each for each in found if _shared(each, file) == closest]
        if not found:
            raise UserError(f"--set {self.name}={self.place}: holds no mask for {file} (an image called {file.stem})")
        if len(found) > 1:
            several = " and ".join(map(str, found[:2]))
            raise UserError(f"--set {self.name}={self.place}: {several} may be the mask of {file}; remove all but one")
        return found[0], read_picture(found[0])


def _shared(one: Path, other: Path) -> int:
    """How many of the folders that two files lie in have equal names, counted from the innermost."""
    pairs = zip(reversed(one.parent.parts), reversed(other.parent.parts), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def with_masks(picture: Picture, file: Path, masks: Sequence[Masks], channels: int) -> Picture:
    """A picture with its masks as further channels, `channels` in all; transparency is left out, gray repeated.

    Raises:
        UserError: a mask is missing or of another size.
    """
    colours = picture.array[..., : picture.colours]
    wanted = channels - len(masks)
    planes = [colours.repeat(wanted, 2) if colours.shape[2] == 1 else colours]
    for each in masks:
        place, mask = each.of(file)
        if mask.array.shape[:2] != picture.array.shape[:2]:
            sizes = ["x".join(map(str, given.array.shape[1::-1])) for given in (mask, picture)]
            raise UserError(f"{place}: is {sizes[0]}, and {file} is {sizes[1]}; a mask has its picture's size")
        planes.append(as_type(mask.array[..., :1], picture.array.dtype))
    return picture.with_pixels(np.concatenate(planes, axis=2), alpha=False)


def as_type(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Levels of one type as those of another: 255 of 8 bits is 65,535 of 16, and 1.0."""
    highest = [1.0 if kind.kind == "f" else float(np.iinfo(kind).max) for kind in (array.dtype, dtype)]
    values = array.astype(np.float32) * np.float32(highest[1] / highest[0])
    return values if dtype.kind == "f" else np.rint(values).astype(dtype)

"""Numbered pictures as a film: `frame_%05d.png`, read like a film's frames, and written so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from toolbox.inference.header import read_header
from toolbox.inference.picture import Picture, read_picture
from toolbox.io.errors import UserError
from toolbox.io.images import MAX_PIXELS
from toolbox.video.colours import FULL, Colours
from toolbox.video.reading import VideoFrame

_NUMBER = re.compile(r"%(0\d{1,2})?d")
FIRST_NAME = "frame_%05d.png"
"""What pictures of a film are called."""


def is_pattern(path: Path) -> bool:
    """Whether a name stands for numbered pictures, and for no file of that very name."""
    return len(_NUMBER.findall(path.name)) == 1 and not path.exists()


class Sequence:
    """Numbered pictures of a folder, with the attributes of a `toolbox.video.reading.Video`.

    A number that is missing between others is a frame that is damaged. Pictures are of one size and kind, the first's.
    """

    def __init__(
        self, pattern: Path, *, rate: float, first: float | None, last: float | None, max_pixels: int = MAX_PIXELS
    ) -> None:
        self.path, self.max_pixels = pattern, max_pixels
        self.rate = Fraction(rate).limit_denominator(1001)
        self.time_base, self.start, self.corrected = 1 / self.rate, Fraction(0), 0
        found = _numbered(pattern)
        lowest, highest = min(found), max(found)
        skipped = 0 if first is None else -int(-Fraction(first) * self.rate // 1)
        self.lowest = lowest + skipped
        ends = highest + 1 if last is None else min(highest + 1, lowest - int(-Fraction(last) * self.rate // 1))
        self.numbers = range(self.lowest, ends)
        if not self.numbers:
            raise UserError(f"{pattern}: {highest - lowest + 1} pictures end before second {first or 0:g}")
        self.origin, self.found = lowest, found
        known = next((found[number] for number in self.numbers if number in found), found[lowest])
        header = read_header(known, max_pixels=max_pixels)
        if header.colours not in (1, 3) or header.depth == 32 or header.frames > 1:
            raise UserError(f"{known}: is no picture of a film: one of gray or RGB, 8 or 16 bits, and one frame")
        self.width, self.height, self.depth = header.width, header.height, header.depth
        self.bits, self.alpha = header.depth, bool(header.alpha)
        self.pixel_format = ("rgba64le" if self.alpha else "rgb48le") if self.depth == 16 else (
            "rgba" if self.alpha else "rgb24"
        )  # fmt: skip
        self.colours = Colours(0, FULL, 1, 13, rgb=True)
        self.aspect = self.first_frame = None
        self.interlaced = False
        self.frame_count_estimate = len(self.numbers)
        self.seconds = len(self.numbers) / self.rate

    def frames(self, start: int = 0) -> Iterator[VideoFrame]:
        """The pictures from number `start` on, counted from the first that is read."""
        sound: np.ndarray | None = None
        for number in range(start, len(self.numbers)):
            array, problem = self._read(number)
            if array is None:
                array = sound if sound is not None else self._neighbour(number)
            else:
                sound = array
            pts = self.numbers[number] - self.origin
            yield VideoFrame(array, number, pts, 1, pts * self.time_base, problem)

    def stop(self) -> None:
        """Nothing is to be stopped: each picture comes at once."""

    def _read(self, number: int) -> tuple[np.ndarray | None, str | None]:
        file = self.found.get(self.numbers[number])
        if file is None:
            return None, f"picture {self.numbers[number]} is missing"
        try:
            array = self._array(read_picture(file, max_pixels=self.max_pixels))
        except UserError as error:
            return None, str(error)
        if array.shape[:2] != (self.height, self.width):
            size = f"{array.shape[1]}x{array.shape[0]}"
            raise UserError(f"{file}: is of {size}, and the others of {self.width}x{self.height}")
        return array, None

    def _array(self, picture: Picture) -> np.ndarray:
        """Pixels (H, W, 3 or 4) of the film's type."""
        array = picture.array
        colours = array[..., : picture.colours]
        colours = colours.repeat(3, 2) if picture.colours == 1 else colours
        if self.alpha:
            white = np.iinfo(array.dtype).max
            plane = array[..., -1:] if picture.alpha else np.full((*array.shape[:2], 1), white, array.dtype)
            colours = np.concatenate([colours, plane], axis=2)
        if self.depth == 16 and colours.dtype == np.uint8:
            return colours.astype(np.uint16) * 257
        return (colours >> 8).astype(np.uint8) if self.depth == 8 and colours.dtype == np.uint16 else colours

    def _neighbour(self, number: int) -> np.ndarray:
        """The nearest sound picture before, or else after."""
        for other in (*range(number - 1, -1, -1), *range(number + 1, len(self.numbers))):
            array, problem = self._read(other)
            if array is not None and problem is None:
                return array
        raise UserError(f"{self.path}: none of its pictures can be read")


def _numbered(pattern: Path) -> dict[int, Path]:
    """The pictures of a pattern by their numbers."""
    match = _NUMBER.search(pattern.name)
    assert match is not None
    before, after = pattern.name[: match.start()], pattern.name[match.end() :]
    digits = int(match[1] or 0)
    name = re.compile(re.escape(before) + (rf"(\d{{{digits},}})" if digits else r"(0|[1-9]\d*)") + re.escape(after))
    folder = pattern.parent
    if not folder.is_dir():
        raise UserError(f"{pattern}: there is no folder {folder}")
    found = {}
    for path in folder.iterdir():
        if matched := name.fullmatch(path.name):
            found[int(matched[1])] = path
    if not found:
        raise UserError(f"{pattern}: {folder} holds no picture of such a name")
    return found

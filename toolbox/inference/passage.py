"""The way of pictures to the network and back: what each needs before it, and what makes its result whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from toolbox.inference.grid import cells, joined
from toolbox.inference.nodata import tell_range, without_gaps
from toolbox.inference.normals import enlarged_normals
from toolbox.inference.options import Options
from toolbox.inference.palette import FEW, colours_of, in_colours_of
from toolbox.inference.picture import Picture
from toolbox.inference.transparency import Restore, under_transparency, with_levels_of_colours

Done = Callable[[float], None] | None
Compute = Callable[[Sequence[Picture], Done], list[Picture]]
"""Pictures of one size and kind through the network, and no more."""
_CELLS = 64
"""Cells of a grid that are held at a time."""


@dataclass
class Passage:
    """Takes pictures to a network and back.

    Args:
        alpha: how transparency is enlarged, as of `Options`.
        keeps_colors: whether colours are the picture's own.
        takes_all: whether transparency is simply one of the network's channels.
        white: the value that is 1.0 for the network, of a type.
        note: is told what a user should know; the same line once.
    """

    options: Options
    alpha: str
    keeps_colors: bool
    takes_all: Callable[[Picture], bool]
    white: Callable[[np.dtype], float]
    compute: Compute
    note: Callable[[str], None]
    _told: set[str] = field(default_factory=set)

    def translate(self, pictures: Sequence[Picture], done: Done = None) -> list[Picture]:
        """Pictures of one size and kind; with a grid each in its cells."""
        if not self.options.grid:
            return self._together(pictures, done)
        results = []
        for number, picture in enumerate(pictures):
            parts, made = cells(picture, self.options.grid), []
            for start in range(0, len(parts), _CELLS):
                made += self._together([part for _, _, part in parts[start : start + _CELLS]], None)
                if done:
                    done((number + len(made) / len(parts)) / len(pictures))
            results.append(joined(picture, parts, made))
        return results

    def _together(self, pictures: Sequence[Picture], done: Done) -> list[Picture]:
        """Those of one size and kind, which preparing may tell apart, are computed together."""
        prepared, restores = zip(*(self._prepared(picture) for picture in pictures), strict=True)
        groups: dict[object, list[int]] = defaultdict(list)
        for number, picture in enumerate(prepared):
            groups[picture.array.shape, picture.alpha].append(number)
        results: list[Picture] = [*prepared]
        for numbers in groups.values():
            for number, made in zip(numbers, self._computed([prepared[n] for n in numbers], done), strict=True):
                results[number] = restores[number](made)
        return results

    def _computed(self, pictures: Sequence[Picture], done: Done = None) -> list[Picture]:
        if not self.options.normals:
            return self.compute(pictures, done)
        return [enlarged_normals(each, self.keeps_colors, lambda parts: self.compute(parts, done)) for each in pictures]

    def _prepared(self, picture: Picture) -> tuple[Picture, Restore]:
        """A picture as the network should see it, and what makes its result whole, the last change first."""
        restores: list[Restore] = []
        whole = without_gaps(picture, self.options.nodata, self._tell)
        if whole:
            picture = whole.picture
            restores.append(whole.put_back)
        tell_range(picture, self.white(picture.array.dtype), self._tell)
        restores.append(self._palette_of(picture))
        if not self.takes_all(picture):
            seen = under_transparency(picture, self.alpha, lambda bare: self._computed([bare])[0])
            if seen:
                picture = seen[0]
                restores.append(seen[1])
            levelled = with_levels_of_colours(picture, self.white(picture.array.dtype))
            if levelled:
                picture = levelled[0]
                restores.append(levelled[1])
        return picture, lambda made: reduce(lambda result, restore: restore(result), reversed(restores), made)

    def _palette_of(self, picture: Picture) -> Restore:
        """What gives a result the input's own few colours, or frees it of them."""
        kept, colours = self.options.palette, picture.palette
        if kept == "keep" and colours is None and picture.array.dtype == np.uint8:
            colours = colours_of(picture.array)
        if colours is None or kept == "free" or (kept == "auto" and not (self.keeps_colors and len(colours) <= FEW)):
            return lambda made: replace(made, palette=None)
        if kept == "auto":
            called = picture.name or "the picture"
            self._tell(f"{called}: keeps its {len(colours)} colours; --palette free lets new ones in")

        def restore(made: Picture) -> Picture:
            channels = made.array.shape[2]
            if made.array.dtype != np.uint8 or channels > picture.array.shape[2]:
                return replace(made, palette=None)
            array = in_colours_of(made.array, picture.array[..., :channels])
            return replace(made, array=array, palette=colours_of(array))

        return restore

    def _tell(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self.note(line)

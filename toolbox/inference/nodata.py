"""Pixels without a value, NaN or what a raster declares: filled for the network, and put back into its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from toolbox.inference.filling import filled
from toolbox.inference.picture import Picture
from toolbox.io.errors import UserError

_FAR = 4.0
"""A median of so many times white is no bright picture: white is another value."""
_USUAL_WHITES = (255, 1023, 4095, 10_000, 16_383, 65_535)


@dataclass(frozen=True)
class WithoutGaps:
    """A picture whose colours all have values, and what makes its result whole."""

    picture: Picture
    gaps: np.ndarray
    """Where values are missing: (H, W, colours)."""
    source: np.ndarray

    def put_back(self, made: Picture) -> Picture:
        """The result with its gaps, each where it was: the nearest pixel of the input tells."""
        height, width = made.array.shape[:2]
        rows = np.arange(height) * self.gaps.shape[0] // height
        columns = np.arange(width) * self.gaps.shape[1] // width
        gaps, values = self.gaps, self.source
        if made.colours != gaps.shape[2]:  # a painter has turned gray into colour
            gaps, values = np.any(gaps, axis=-1)[..., None], values[..., :1]
        array = made.array.copy()
        there = array[..., : made.colours]
        near = np.ix_(rows, columns)
        there[...] = np.where(gaps[near], values[near].astype(array.dtype), there)
        return made.with_pixels(array, alpha=made.alpha)


def without_gaps(picture: Picture, nodata: float | None, note: Callable[[str], None]) -> WithoutGaps | None:
    """Fill what is NaN, infinite or `nodata` (by default the file's own) from around it; None where nothing is.

    Raises:
        UserError: no pixel at all has a value.
    """
    colours = picture.array[..., : picture.colours]
    declared = picture.nodata if nodata is None else nodata
    if declared is None and colours.dtype.kind != "f":  # whole numbers are always some value
        return None
    gaps = np.logical_not(np.isfinite(colours))
    named = "NaN" if gaps.any() else ""
    if declared is not None and np.isfinite(declared):
        meant = np.isclose(colours, declared, rtol=1e-6, atol=0) if colours.dtype.kind == "f" else colours == declared
        named = " or ".join(each for each in (named, f"{declared:g}" if meant.any() else "") if each)
        gaps = gaps | meant
    count = int(gaps.any(-1).sum())
    if not count:
        return None
    if gaps.all():
        raise UserError(f"{_called(picture)}: no pixel holds data, all are {named}")
    full = filled(colours, (~gaps).astype(np.float32))
    full = full if colours.dtype.kind == "f" else np.rint(full).astype(colours.dtype)
    total = gaps.shape[0] * gaps.shape[1]
    note(f"{_called(picture)}: {count:,} of {total:,} pixels are {named}, no data: filled for the network and put back")
    array = np.concatenate([full, picture.array[..., picture.colours :]], axis=2)
    return WithoutGaps(picture.with_pixels(array, alpha=picture.alpha), gaps, colours)


def tell_range(picture: Picture, white: float, note: Callable[[str], None]) -> None:
    """Note values that lie outside 0 and white, which are cut; to be told after gaps were filled.

    Raises:
        UserError: most values lie so far over white that the picture would come out white.
    """
    values = picture.array[..., : picture.colours]
    if values.dtype.kind == "u" and white >= np.iinfo(values.dtype).max:  # no value can lie outside
        return
    highest, lowest = float(values.max()), float(values.min())
    over, under = int((values > white).sum()), int((values < 0).sum())
    of = f"of {values.size:,} values"
    if over and float(np.median(values)) > _FAR * white:
        guess = next((each for each in _USUAL_WHITES if highest <= each), round(highest))
        raise UserError(
            f"{_called(picture)}: its values reach {highest:g}, and {white:g} would be white; say what is, such as by "
            f"{_option(picture, 'white', guess)}"
        )
    if over:
        note(
            f"{_called(picture)}: {over:,} {of} are over white, {white:g}, and are cut to it; "
            f"{_option(picture, 'white', highest)} keeps them"
        )
    if under:
        note(
            f"{_called(picture)}: {under:,} {of} are below 0 and become 0; if {lowest:g} stands for no data, say so by "
            f"{_option(picture, 'nodata', lowest)}"
        )


def _called(picture: Picture) -> str:
    return picture.name or "the picture"


def _option(picture: Picture, name: str, value: float) -> str:
    """How a setting is written by whom the picture is from: the command line, or Python, where it has no name."""
    return f"--{name} {value:g}" if picture.name else f"Options({name}={value:g})"

"""A film's colours: which matrix, range, primaries and curve its numbers stand for, and pixels of them and back.

Numbers are FFmpeg's, which are those of ITU-T H.273.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from toolbox.video.opening import pyav

UNKNOWN, BT709, BT470BG, SMPTE170M, SMPTE240M, BT2020 = 2, 1, 5, 6, 7, 9
LIMITED, FULL = 1, 2
SD_HEIGHT = 576
"""Films of more lines are BT.709 where they do not say."""
_RGB_MATRIX = 0
_CONSTANT_LUMINANCE = 10
_SWSCALE = {BT709: 1, 4: 4, BT470BG: 5, SMPTE170M: 5, SMPTE240M: 7, BT2020: 9, _CONSTANT_LUMINANCE: 9}
"""The matrices that are converted, by swscale's numbers."""
_NAMES = {0: "RGB", 1: "BT.709", 4: "FCC", 5: "BT.601", 6: "BT.601", 7: "SMPTE 240M", 8: "YCgCo", 9: "BT.2020"}
_CURVES = {1: "BT.709", 6: "BT.601", 8: "linear", 13: "sRGB", 14: "BT.2020", 15: "BT.2020", 16: "PQ", 18: "HLG"}
_PRIMARIES_OF = {BT709: 1, BT470BG: 5, SMPTE170M: 6, SMPTE240M: 7, BT2020: 9}


@dataclass(frozen=True)
class Colours:
    """What a frame's numbers stand for.

    Args:
        matrix, range, primaries, curve: as H.273 numbers them; 2 (of range: 0) is not said.
        rgb: the numbers are red, green and blue themselves.
        guessed: the matrix was not said, and is that of the film's height.
    """

    matrix: int = UNKNOWN
    range: int = 0
    primaries: int = UNKNOWN
    curve: int = UNKNOWN
    rgb: bool = False
    guessed: bool = False

    def described(self) -> str:
        """For messages: `BT.2020, PQ, limited`."""
        curve = _CURVES.get(self.curve)
        parts = [_NAMES.get(self.matrix, f"matrix {self.matrix}"), *([curve] if curve else [])]
        return ", ".join([*parts, "full" if self.range == FULL else "limited"])

    def for_yuv(self, height: int) -> Colours:
        """The tags of a result in YUV, of a source in RGB, whose matrix is to be chosen."""
        if not self.rgb:
            return self
        matrix = BT709 if height > SD_HEIGHT else SMPTE170M
        primaries, curve = self.primaries, self.curve
        return replace(
            self, matrix=matrix, range=LIMITED, rgb=False,
            primaries=_PRIMARIES_OF[matrix] if primaries == UNKNOWN else primaries,
            curve=matrix if curve == UNKNOWN else curve,
        )  # fmt: skip

    def for_rgb(self) -> Colours:
        """The tags of a result in RGB, of a source in YUV."""
        return replace(self, matrix=_RGB_MATRIX, range=FULL, rgb=True)


def colours_of(frame: Any, height: int) -> Colours:
    """What PyAV's frame says of its colours, filled in by the film's height where it is silent.

    HD is BT.709 and SD is BT.601 where nothing is said, as players take it; FFmpeg would take all for BT.601. A matrix
    that is converted by its neighbour (BT.2020 of constant luminance) or not known is taken for that of the height.
    """
    matrix, ranged = int(frame.colorspace), int(frame.color_range)
    primaries, curve = int(frame.color_primaries), int(frame.color_trc)
    if frame.format.is_rgb or frame.format.has_palette:
        return Colours(_RGB_MATRIX, FULL, primaries, curve, rgb=True)
    full = ranged == FULL or frame.format.name.startswith("yuvj")
    guessed = matrix not in _SWSCALE
    if guessed:
        matrix = BT2020 if primaries == BT2020 else BT709 if height > SD_HEIGHT else SMPTE170M
        primaries = _PRIMARIES_OF[matrix] if primaries in (0, UNKNOWN) else primaries
        curve = (14 if matrix == BT2020 else matrix) if curve in (0, UNKNOWN) else curve
    return Colours(matrix, FULL if full else LIMITED, primaries, curve, guessed=guessed)


def to_array(frame: Any, colours: Colours, *, deep: bool, alpha: bool, size: tuple[int, int] | None = None) -> Any:
    """PyAV's frame as pixels (H, W, 3 or 4), uint8 or uint16 over the whole range.

    Args:
        deep: 16 bits.
        size: (width, height) to bring it to, of a film whose frames change their size.
    """
    name = ("rgba64le" if alpha else "rgb48le") if deep else ("rgba" if alpha else "rgb24")
    source: dict[str, Any] = {}
    if not colours.rgb:
        source = {"src_colorspace": _SWSCALE[colours.matrix], "src_color_range": colours.range}
    made = frame.reformat(
        *(size or (None, None)), format=name, interpolation=_exactly(), threads=1, dst_color_range=FULL, **source
    )
    return made.to_ndarray()


def to_frame(array: np.ndarray, colours: Colours, pixel_format: str) -> Any:
    """Pixels (H, W, 3 or 4), uint8 or uint16, as PyAV's frame of a pixel format, tagged."""
    av = pyav()
    deep, alpha = array.dtype == np.uint16, array.shape[2] == 4
    name = ("rgba64le" if alpha else "rgb48le") if deep else ("rgba" if alpha else "rgb24")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format=name)
    target: dict[str, Any] = {}
    if not colours.rgb:
        target = {"dst_colorspace": _SWSCALE[colours.matrix], "dst_color_range": colours.range}
    made = frame.reformat(format=pixel_format, interpolation=_exactly(), threads=1, src_color_range=FULL, **target)
    made.colorspace, made.color_range = colours.matrix, colours.range
    made.color_primaries, made.color_trc = colours.primaries, colours.curve
    return made


def _exactly() -> int:
    """swscale's flags: chroma is not dropped on the way, and sums are rounded, not cut."""
    flags = pyav().video.reformatter.Interpolation
    return int(flags.BICUBIC | flags.FULL_CHR_H_INT | flags.FULL_CHR_H_INP | flags.ACCURATE_RND)

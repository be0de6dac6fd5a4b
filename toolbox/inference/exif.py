"""EXIF, orientation and resolution: what a camera says of a picture that is turned upright and enlarged."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_PIXEL_SIZES = (0xA002, 0xA003)  # true of the input alone
_OF_THE_FILE = {254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 282, 283, 284, 296, 317, 320, 322, 323, 324}
_OF_THE_FILE |= {325, 330, 338, 339, 347, 700, 34675}  # TIFF's own layout, and what is kept elsewhere
_GEO_TAGS = {33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113}
_TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}


def exif_of(image: Image.Image) -> tuple[bytes | None, int]:
    """EXIF with its orientation reset and without what holds of the input's file alone; and that orientation."""
    exif = image.getexif()
    orientation = exif.get(_ORIENTATION, 1)
    if _ORIENTATION in exif:
        exif[_ORIENTATION] = 1
    for tag in [tag for tag in exif if tag in _OF_THE_FILE or tag in _GEO_TAGS]:
        if image.format == "TIFF":
            del exif[tag]
    if _EXIF_IFD in exif:
        inner = exif.get_ifd(_EXIF_IFD)
        for tag in _PIXEL_SIZES:
            inner.pop(tag, None)
    return (exif.tobytes() if len(exif) else None), orientation if isinstance(orientation, int) else 1


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    turns, mirrored = _TURNS.get(orientation, (0, False))
    array = np.rot90(array, turns) if turns else array
    return np.ascontiguousarray(array[:, ::-1] if mirrored else array)


def dpi_of(dpi: Any, orientation: int) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not (0 < x < 1e6 and 0 < y < 1e6):
        return None
    return (y, x) if orientation >= 5 else (x, y)


def tiff_dpi(tags: dict[int, Any], orientation: int) -> tuple[float, float] | None:
    """Pixels per inch of TIFF's resolution, which is given in inches (2) or centimetres (3)."""
    try:
        per = {2: 1.0, 3: 2.54}[int(tags[296])]
        return dpi_of([per * tags[code][0] / tags[code][1] for code in (282, 283)], orientation)
    except (KeyError, TypeError, ZeroDivisionError, IndexError, ValueError):
        return None

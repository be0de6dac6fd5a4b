"""Pillow's modes as pixels: gray, colours and transparency, of 8 bits."""

from __future__ import annotations

import numpy as np
from PIL import Image

from toolbox.inference.colour_systems import cmyk_to_rgb, lab_to_srgb
from toolbox.inference.palette import colours_of
from toolbox.io.images import pixels_of

_GRAY = ("1", "L", "LA", "La")
_CLEAR = ("LA", "La", "PA", "RGBA", "RGBa")


def plain_pixels(image: Image.Image) -> tuple[np.ndarray, bool, bool, str]:
    """Pixels (H, W, C) uint8, whether the last channel is transparency, whether the profile still fits, a note."""
    if image.mode == "LAB":
        lab = np.array(image).astype(np.float32) * [100 / 255, 1, 1] - [0, 128, 128]
        return np.rint(lab_to_srgb(lab) * 255).astype(np.uint8), False, False, "Lab becomes sRGB"
    if image.mode == "CMYK":
        return np.array(cmyk_to_rgb(image)), False, False, "CMYK becomes sRGB"
    gray, alpha = image.mode in _GRAY, "transparency" in image.info or image.mode in _CLEAR
    kept = gray or image.mode in ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr")
    if alpha:
        straight = image.convert("LA") if image.mode == "La" else image  # which alone Pillow makes of it
        array = pixels_of(straight.convert("RGBA"))
        return (array[..., [0, 3]] if gray else array), True, kept, ""
    mode = "L" if gray else "RGB"
    array = pixels_of(image if image.mode == mode else image.convert(mode))
    return (array[..., None] if gray else array), False, kept, ""


def palette_of(image: Image.Image) -> np.ndarray | None:
    """The colours that a palette picture uses, (N, 3) or with transparency (N, 4)."""
    if image.mode not in ("P", "PA"):
        return None
    alpha = "transparency" in image.info or image.mode == "PA"
    if image.mode == "P":  # one pixel for each number that it uses
        used = [number for number, count in enumerate(image.histogram()) if count]
        image = image.crop((0, 0, len(used), 1))
        image.putdata(used)
    return colours_of(np.array(image.convert("RGBA" if alpha else "RGB")))

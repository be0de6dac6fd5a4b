"""Pictures as browsers show them: files of other formats get a PNG of 8 bits beside them, for the eye alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from toolbox.inference.picture import read_picture
from toolbox.studio.films import TYPES as FILMS

BROWSERS = (".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".avif", ".bmp")
"""What browsers decode by themselves."""
TYPES = {".apng": "image/png", ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif", ".avif": "image/avif",
         ".bmp": "image/bmp"}  # fmt: skip
SIDE = 4096
"""The longest side of a preview in pixels."""


def needs_preview(file: Path) -> bool:
    """Whether browsers cannot show a file."""
    return file.suffix.lower() not in BROWSERS


def media_type(file: Path) -> str:
    """What to call a file in an answer; only what a browser shows as a picture, or plays, is called one."""
    suffix = file.suffix.lower()
    return FILMS.get(suffix) or TYPES.get(suffix, "image/jpeg" if suffix in BROWSERS else "application/octet-stream")


def write_preview(file: Path, target: Path) -> Path:
    """Write a picture as a PNG of 8 bits, gray or RGB with its transparency, 4096 pixels wide or high at most.

    Of more than three channels the first three are shown; floats outside [0, 1] are shown as its ends.
    """
    from toolbox.inference.levels import LEVELS  # imports torch, which the server does without

    picture = read_picture(file)
    pixels = picture.array[..., : picture.colours]
    shown = pixels[..., :1] if picture.colours < 3 else pixels[..., :3]
    if picture.alpha:
        shown = np.concatenate([shown, picture.array[..., -1:]], axis=2)
    if shown.dtype != np.uint8:
        shown = np.nan_to_num(shown.astype(np.float32)) / LEVELS[shown.dtype]
        shown = (shown.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    image = Image.fromarray(shown[..., 0] if shown.shape[2] == 1 else shown)
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    image.save(target, "PNG", compress_level=1)
    return target

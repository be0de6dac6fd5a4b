"""Pictures side by side: one row per image, one column per version, captions on top."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from toolbox.images import write_image

GAP, CAPTION = 6, 22


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]], captions: Sequence[str], path: Path, *, cell: int = 256
) -> Path:
    """Write rows of images (H, W, 3) uint8 as one PNG; each image is fitted into cell x cell pixels.

    Small images are enlarged without smoothing, so that a low-resolution input shows its pixels.
    """
    height = CAPTION + len(rows) * (cell + GAP)
    sheet = Image.new("RGB", (len(captions) * (cell + GAP) - GAP, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    for column, caption in enumerate(captions):
        draw.text((column * (cell + GAP) + 4, 3), caption, fill="black", font=font)
    for r, row in enumerate(rows):
        for c, array in enumerate(row):
            image = Image.fromarray(array)
            ratio = cell / max(image.size)
            size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
            image = image.resize(size, Image.Resampling.NEAREST if ratio > 1 else Image.Resampling.BOX)
            sheet.paste(image, (c * (cell + GAP), CAPTION + r * (cell + GAP)))
    write_image(path, np.asarray(sheet))
    return path

"""Pictures side by side: one row per image, one column per version, captions on top."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from toolbox.io.images import write_image

GAP, CAPTION = 6, 22


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]], captions: Sequence[str], path: Path, *, cell: int = 256
) -> Path:
    """Write rows of images (H, W, 3) uint8 as one PNG; each image is fitted into cell x cell pixels.

    Small images are enlarged without smoothing, so that a low-resolution input shows its pixels.
    """
    fitted = [[_fit(array, cell) for array in row] for row in rows]
    heights = [max(image.height for image in row) for row in fitted]
    width = len(captions) * (cell + GAP) - GAP
    sheet = Image.new("RGB", (width, CAPTION + sum(heights) + GAP * (len(rows) - 1)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    for column, caption in enumerate(captions):
        draw.text((column * (cell + GAP) + 4, 3), caption, fill="black", font=font)
    top = CAPTION
    for row, height in zip(fitted, heights, strict=True):
        for column, image in enumerate(row):
            sheet.paste(image, (column * (cell + GAP), top))
        top += height + GAP
    write_image(path, np.asarray(sheet))
    return path


def detail(images: Sequence[np.ndarray], size: int) -> list[np.ndarray]:
    """Cut the same window from versions of one picture (H, W, 3), which may differ in size by a factor.

    The window has `size` pixels a side in the largest version and lies where that version has most contrast.
    """
    largest = max(images, key=lambda image: image.shape[0])
    height, width = largest.shape[:2]
    size = min(size, height, width)
    luminance = largest.mean(2)
    steps = [range(0, length - size + 1, max(1, size // 4)) for length in (height, width)]
    corners = [(y, x) for y in steps[0] for x in steps[1]]
    top, left = max(corners, key=lambda c: luminance[c[0] : c[0] + size, c[1] : c[1] + size].std())
    cut = []
    for image in images:
        ratio = image.shape[0] / height
        y, x, side = round(top * ratio), round(left * ratio), max(1, round(size * ratio))
        cut.append(image[y : y + side, x : x + side])
    return cut


def _fit(array: np.ndarray, cell: int) -> Image.Image:
    image = Image.fromarray(array)
    ratio = cell / max(image.size)
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    return image.resize(size, Image.Resampling.NEAREST if ratio > 1 else Image.Resampling.BOX)

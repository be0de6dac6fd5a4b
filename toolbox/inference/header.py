"""What a file's first bytes tell of its picture, so that what cannot become a result is refused before any work."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from toolbox.inference.deep import declared_depth
from toolbox.inference.picture import FRAMES, RAISE, is_bilevel, opened_picture, refuse_many
from toolbox.inference.tiff import check_limit, open_tiff, pages_of, pillow_pages, pillow_reads, refuse_system
from toolbox.io.errors import UserError
from toolbox.io.images import MAX_PIXELS, bytes_of

MOST_CHUNKS = 1 << 20
"""Of a PNG that are walked through; of one with more, Pillow is asked."""
_TELLING = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")


@dataclass(frozen=True)
class Header:
    """A file's format as Pillow calls it, upright size, channels without transparency, bits of it and of a channel."""

    format: str
    width: int
    height: int
    colours: int
    alpha: int
    depth: int
    frames: int = 1

    @property
    def bytes_per_pixel(self) -> int:
        """Of a result of the same type."""
        return (self.colours + bool(self.alpha)) * self.depth // 8


def read_header(path: Path, *, max_pixels: int = MAX_PIXELS) -> Header:
    """The header of a picture's file, in a millisecond or so.

    Raises:
        UserError: naming the file that is missing, no picture, too large, or of a kind that is not kept.
    """
    with opened_picture(path, max_pixels) as (file, image):
        if image is None or (image.format == "TIFF" and not pillow_reads(image)):
            return _of_tiff(path, max_pixels)
        gray = image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")
        alpha = "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
        turned = _exif(file, image).get(0x0112, 1) in (5, 6, 7, 8)
        depth = 32 if image.mode == "F" else declared_depth(path, image)
        shown, one_bit = image.format, is_bilevel(image)
        pages = pillow_pages(image) if image.format == "TIFF" else {}
        frames = len(pages) or int(getattr(image, "n_frames", 1))
        if shown in FRAMES:
            refuse_many(path, frames, sum(pages.values()) or frames * bytes_of(image), max_pixels)
        if shown == "PNG" and depth == 16 and frames > 1:
            raise UserError(f"{path}: an animation of 16 bits would be cut to 8; make it of 8 bits, or pictures of it")
        if shown == "WEBP" and frames > 1:  # Pillow gives transparency to every animation
            file.seek(0)
            start = file.read(21)
            alpha = start[12:16] != b"VP8X" or bool(start[20] & 0x10)
        return Header(
            shown or "",
            *(image.size[::-1] if turned else image.size),
            colours=1 if gray else 3,
            alpha=0 if not alpha else 1 if one_bit else 8,
            depth=depth,
            frames=frames if shown in FRAMES else 1,
        )


def _exif(file: BinaryIO, image: Image.Image) -> Image.Exif:
    """Pillow's, but of a PNG without its pixels: Pillow decodes them for what may stand behind, and rarely does."""
    late = image.format == "PNG" and "exif" not in image.info and _tells_late(file)
    return image.getexif() if late else Image.Image.getexif(image)


def _tells_late(file: BinaryIO) -> bool:
    """Whether a PNG has EXIF, or text that may hold it, behind its pixels; where it is read stays as it was."""
    before, pixels = file.tell(), False
    try:
        file.seek(8)
        for _ in range(MOST_CHUNKS):
            head = file.read(8)
            if len(head) < 8 or head[4:] == b"IEND":
                return False
            if pixels and head[4:] in _TELLING:
                return True
            pixels = pixels or head[4:] == b"IDAT"
            file.seek(int.from_bytes(head[:4], "big") + 4, os.SEEK_CUR)  # its body and its check
        return True
    finally:
        file.seek(before)


def _of_tiff(path: Path, max_pixels: int) -> Header:
    with open_tiff(path) as file:
        pages = pages_of(file)
        refuse_many(path, len(pages), sum(page.nbytes for page in pages), max_pixels)
        page = pages[0]
        try:
            check_limit(path, page, max_pixels)
        except UserError as error:
            raise UserError(f"{error}{RAISE}") from None
        photometric, extra = int(page.photometric), tuple(page.extrasamples or ())
        refuse_system(path, photometric)
        samples, kind = page.samplesperpixel, page.dtype
        alpha = samples in (2, 4) and len(extra) == 1 and int(extra[0]) in (1, 2)
        turned = page.tags.valueof(274, 1) in (5, 6, 7, 8)
        size = (page.imagewidth, page.imagelength)
        depth = 32 if kind is not None and kind.kind == "f" else 8 if page.bitspersample <= 8 else 16
        return Header(
            "TIFF",
            *(size[::-1] if turned else size),
            colours=samples - alpha,
            alpha=8 * alpha,
            depth=depth,
            frames=len(pages),
        )

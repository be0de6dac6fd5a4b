"""TIFF that Pillow cannot read: 16 bits or floats in colour, Lab, and more than four channels."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image

from toolbox.inference.colour_systems import lab_of_tiff, lab_to_srgb, straightened
from toolbox.inference.deep import decoded
from toolbox.io.errors import UserError

_LAB = (8, 9)
_SIGNED = 2
"""Of the samples' format (tag 339): whole numbers with a sign, which Pillow reads as others."""
_SYSTEMS = {
    3: "a palette of 16 bits",
    4: "a mask",
    5: "CMYK",
    6: "YCbCr",
    10: "ITU Lab",
    32_803: "a camera's raw data",
    34_892: "a camera's linear raw data",
}
"""Colours that are refused by name, as TIFF numbers them (tag 262)."""


MOST_FRAMES = 10_000
"""Frames or pages of one file."""
_SILENT = logging.NullHandler()


def directories(file: BinaryIO) -> int:
    """How many directories follow each other in a TIFF, counted no further than one beyond `MOST_FRAMES`.

    Pillow and tifffile walk along them too, in a time that grows with the square of their number.
    """
    file.seek(0)
    start = file.read(16)
    order: Literal["little", "big"] = "little" if start[:2] == b"II" else "big"
    large = int.from_bytes(start[2:4], order) == 43  # BigTIFF
    counting, entry, offset = (8, 20, 8) if large else (2, 12, 4)
    place = int.from_bytes(start[8:16] if large else start[4:8], order)
    seen: set[int] = set()
    while place and place not in seen and len(seen) <= MOST_FRAMES:
        seen.add(place)
        file.seek(min(place, 1 << 62))
        number = int.from_bytes(file.read(counting), order)
        file.seek(min(place + counting + number * entry, 1 << 62))
        place = int.from_bytes(file.read(offset), order)
    return len(seen)


@dataclass(frozen=True)
class TiffPage:
    """Pixels (H, W, C), whether the last channel is transparency, whether it was multiplied in, the tags by number."""

    array: np.ndarray
    alpha: bool
    associated: bool
    tags: dict[int, Any]
    lab: bool = False


def require_tifffile(path: Path) -> Any:
    """tifffile, which the extra `images` brings; `path` is what needs it."""
    try:
        import tifffile
    except ImportError:
        raise UserError(f"{path}: TIFF of this kind needs another package: pip install tifffile") from None
    logging.getLogger("tifffile").addHandler(_SILENT)  # it tells of damage without the file's name; we name it
    return tifffile


@contextmanager
def open_tiff(path: Path) -> Iterator[Any]:
    """The file as tifffile opens it; what it raises becomes one line that names the file."""
    tifffile = require_tifffile(path)
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    except (UserError, MemoryError):
        raise
    except Exception as error:  # of many kinds: tifffile lets through what struct, zlib and its dicts raise
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"{path}: cannot be read as TIFF ({reason})") from error


def pages_of(file: Any) -> list[Any]:
    """The pages of equal standing: smaller copies and masks left out."""
    count = len(file.pages)  # asked first: this ends where pages lead in a circle, and iterating does not
    pages = [page for page in (file.pages[i] for i in range(count)) if page.imagewidth and page.imagelength]
    if not pages:
        raise ValueError("it holds no whole page: it is cut short, or damaged; replace or remove the file")
    return [page for page in pages if not int(page.subfiletype or 0) & 5] or pages[:1]


def pillow_pages(image: Image.Image) -> dict[int, int]:
    """The same of a TIFF that Pillow opened, by number; of each the bytes that it takes."""
    pages = {}
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        if not int(getattr(image, "tag_v2", {}).get(254, 0)) & 5:
            pages[number] = _bytes_of(image)
    image.seek(next(iter(pages), 0))
    return pages or {0: _bytes_of(image)}


def _bytes_of(image: Image.Image) -> int:
    """What a page takes in all its channels and bits, which Pillow does not give of every kind."""
    tags = getattr(image, "tag_v2", {})
    samples = 3 if image.mode == "P" else int(tags.get(277, 1))
    return image.width * image.height * samples * max(1, max(tags.get(258, (1,))) // 8)


def pillow_reads(image: Image.Image) -> bool:
    """Whether Pillow gives all channels of an opened TIFF in all their bits, and transparency not multiplied in."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(262) in _LAB or 1 in tuple(tags.get(338, ())) or _SIGNED in tuple(tags.get(339, ())):
        return False
    if max(tags.get(258, (1,))) > 8:
        return image.mode in ("I;16", "F") and tags.get(277, 1) == 1
    return tags.get(277, 1) == len(image.getbands())


def check_limit(path: Path, page: Any, max_pixels: int) -> None:
    """Raises UserError for a page of more pixels than allowed, where four channels count as one pixel."""
    height, width, samples = page.imagelength, page.imagewidth, page.samplesperpixel
    if height * width * max(1, samples / 4) > max_pixels:
        shown = f"{width}x{height} pixels of {samples} channels are more than the limit of {max_pixels:,}"
        raise UserError(f"{path}: {shown}")


def refuse_system(path: Path, photometric: int) -> None:
    """Raises UserError for colours that are not converted."""
    if photometric in _SYSTEMS:
        raise UserError(f"{path}: its colours are {_SYSTEMS[photometric]}, which is not converted; save it as RGB")


def read_page(path: Path, number: int, max_pixels: int) -> TiffPage:
    """One page of equal standing in its own type, not turned upright."""
    with open_tiff(path) as file:
        page = pages_of(file)[number]
        check_limit(path, page, max_pixels)
        photometric, samples = int(page.photometric), page.samplesperpixel
        refuse_system(path, photometric)
        try:
            array = page.asarray()
        except ValueError as error:  # a compression such as LZW, which tifffile leaves to imagecodecs
            if "imagecodecs" not in str(error):
                raise
            if samples not in (1, 3, 4) or number:
                raise UserError(f"{path}: its compression needs another package: pip install imagecodecs") from None
            array = decoded(path)
        extra = tuple(int(each) for each in page.extrasamples or ())
        tags = {tag.code: tag.value for tag in page.tags.values()}
        separate = int(page.planarconfig) == 2 and array.shape[:1] == (samples,) != array.shape[-1:]
    array = np.moveaxis(array, 0, -1) if separate and array.ndim == 3 else array
    array = array[..., None] if array.ndim == 2 else array
    if array.dtype in (np.float16, np.float64):
        array = array.astype(np.float32)
    if array.ndim != 3 or array.dtype not in (np.uint8, np.uint16, np.float32):
        raise UserError(f"{path}: {array.dtype} {array.shape} is not kept; convert it to uint8, uint16 or float32")
    if photometric == 0 and array.dtype != np.float32:
        array = np.invert(array)  # white is zero
    lab = photometric in _LAB
    if lab:
        if array.dtype == np.float32 or array.shape[2] != 3:
            raise UserError(f"{path}: its colours are Lab of floats or with more channels; save it as RGB")
        highest, kind = (255, np.uint8) if array.dtype == np.uint8 else (65_535, np.uint16)
        array = np.rint(lab_to_srgb(lab_of_tiff(array, photometric)) * highest).astype(kind)
    alpha = array.shape[2] in (2, 4) and len(extra) == 1 and extra[0] in (1, 2)
    associated = alpha and extra[0] == 1
    array = straightened(array) if associated else array
    return TiffPage(np.ascontiguousarray(array), alpha, associated, tags, lab)

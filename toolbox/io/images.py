"""Reading and writing image files, and the step between 8-bit arrays and float tensors."""

from __future__ import annotations

import logging
import os
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from toolbox.io.errors import UserError
from toolbox.io.files import open_regular, whole
from toolbox.io.heif import know_heif
from toolbox.io.impostor import film_of_another_name, impostor
from toolbox.io.search import SUFFIXES as SUFFIXES
from toolbox.io.search import find_images as find_images
from toolbox.io.search import images_at as images_at
from toolbox.io.search import way_to_convert

if TYPE_CHECKING:
    from torch import Tensor

WRITTEN = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""What `write_image` writes."""

MAX_PIXELS = 178_956_970
"""Pillow's own limit of what may be an honest image: 0.5 GiB of RGB."""

_MAX_SIDE = 1_000_000
"""Pillow keeps a pointer for each row: a file of 100 bytes that claims a column of all those pixels takes 1.6 GB."""
_JPEG_PIXELS_PER_BYTE = 512
"""A JPEG spends a bit at least on each block of 8x8; libjpeg paints what is missing gray, however much that is."""
_SCANS = 100
"""A progressive JPEG has about ten scans, and each goes over all blocks: 400 KB of scans take a minute to decode."""
_MARKER, _SCAN, _END = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]"), 0xDA, 0xD9
"""What stands before a segment of a JPEG, and nowhere between compressed numbers."""
_PIECES = 100_000
"""Strips or tiles of a TIFF: Pillow decodes each by itself, which takes longer than its pixels do."""
_WHOLE = 1 << 24
"""Pixels of an image whose array is made at once."""
_PROGRAMS = ("EPS", "WMF")
"""Formats that Pillow hands to a program to draw: a file of a data set starts none."""

# What Pillow may raise on damaged files: its decoders have no exception type of their own. UserWarning stands for
# damaged metadata, where warnings are turned into errors.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, OverflowError, struct.error, zlib.error)
_DAMAGED += (RuntimeError, AssertionError, AttributeError, ArithmeticError, MemoryError, UserWarning)
_pillow_limit = threading.Lock()
logger = logging.getLogger("toolbox")
_ORIENTATION, _ON_ITS_SIDE = 0x0112, (5, 6, 7, 8)
"""The tag of EXIF that says how a camera was held, and its values by which height and width change places."""


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read one image as (H, W, 3) uint8 RGB, decoded whole and turned upright by its EXIF orientation.

    Gray, palette and CMYK images become RGB; an alpha channel is dropped, not composited; of an animation the first
    frame is read. Images of more than 8 bits per channel are refused, since 8 bits cannot hold them. Raises
    UserError, naming the file, for whatever is missing, damaged, cut short or larger than `max_pixels`.
    """
    path = Path(path)
    with naming(path), open_regular(path) as file:
        with open_safely(file) as image:
            problem = problem_of(image, os.fstat(file.fileno()).st_size, max_pixels) or endless(image)
            if problem:
                raise UserError(f"{path}: {problem}")
            image.verify()  # the only step that looks at PNG checksums; it leaves the image unusable
        file.seek(0)
        with open_safely(file) as image:
            ImageOps.exif_transpose(image, in_place=True)
            if "transparency" in image.info:  # Pillow warns on the direct way to RGB
                return pixels_of(image.convert("RGBA").convert("RGB"))
            return pixels_of(image if image.mode == "RGB" else image.convert("RGB"))


def pixels_of(image: Image.Image) -> np.ndarray:
    """An image's pixels as an array; of a large one in strips, because Pillow writes all of them out twice."""
    if image.width * image.height <= _WHOLE:
        return np.array(image)
    rows = max(1, _WHOLE // image.width)
    made: np.ndarray | None = None
    for top in range(0, image.height, rows):
        strip = np.asarray(image.crop((0, top, image.width, min(image.height, top + rows))))
        made = np.empty((image.height, *strip.shape[1:]), strip.dtype) if made is None else made
        made[top : top + rows] = strip
    assert made is not None
    return made


def bytes_of(image: Image.Image) -> int:
    """How many bytes an opened image's pixels take, about, once they are read: colours of a palette written out."""
    wide = 4 if image.mode in ("I", "F") else 2 if ";16" in image.mode else 1
    bands = {"P": 3, "PA": 4}.get(image.mode, len(image.getbands()))
    return image.width * image.height * (bands + ("transparency" in image.info)) * wide


def count_pixels(path: str | os.PathLike[str]) -> int:
    """Height times width, from the file's header alone. Raises UserError as `read_image` does."""
    height, width = image_size(path)
    return height * width


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width as `read_image` gives them, upright, from the file's header alone. Raises UserError as it does.

    What only decoding finds stays unseen: pixels that are damaged or cut short.
    """
    path = Path(path)
    with naming(path), open_regular(path) as file, open_safely(file) as image:
        problem = problem_of(image, os.fstat(file.fileno()).st_size, MAX_PIXELS)
        if problem:
            raise UserError(f"{path}: {problem}")
        exif = Image.Image.getexif(image)  # PNG's own would decode the image, to look behind it
        turned = exif.get(_ORIENTATION, 1) in _ON_ITS_SIDE
        return (image.width, image.height) if turned else (image.height, image.width)


def write_image(path: str | os.PathLike[str], array: np.ndarray, *, quality: int = 95) -> None:
    """Write (H, W, 3) uint8 RGB to `path`, in the format of its suffix, so that the file is whole or not there.

    Parent folders are made. `quality` is for JPEG and WebP; JPEG keeps the full colour resolution. Raises UserError
    for an unknown suffix, ValueError for another array, NotWritten, an OSError, where the disk refuses.
    """
    path = Path(path)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"an image to write must be (H, W, 3) uint8, got {array.shape} {array.dtype}")
    if path.suffix.lower() not in WRITTEN:
        raise UserError(
            f"{path}: cannot write {path.suffix or 'a file without suffix'}; use one of {' '.join(WRITTEN)}"
        )
    file_format = Image.registered_extensions()[path.suffix.lower()]
    options = {"quality": quality} if file_format in ("JPEG", "WEBP") else {}
    if file_format == "JPEG":
        options["subsampling"] = 0
    with whole(path, durable=False) as file:
        Image.fromarray(array).save(file, format=file_format, **options)


def images_to_float(images: Tensor) -> Tensor:
    """Turn uint8 images (B, C, H, W) into float32 in [0, 1], on their device."""
    import torch

    if images.dtype != torch.uint8:
        raise ValueError(f"images_to_float takes uint8, got {images.dtype}")
    return images.float() / 255


def tensor_to_image(image: Tensor) -> np.ndarray:
    """Turn one image (C, H, W) in [0, 1] into (H, W, C) uint8: clamped, then rounded to the nearest.

    Raises ValueError for NaN, which has no colour: overflow of half precision, or weights that diverged.
    """
    import torch

    image = image.detach().float()
    if bool(image.isnan().any()):
        raise ValueError("the image holds NaN: half precision overflowed (try float32), or the weights diverged")
    return (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn whatever Pillow and the disk raise into one line that names the file."""
    try:
        yield
    except UserError as error:
        raise error if str(error).startswith(f"{path}: ") else UserError(f"{path}: {error}") from None
    except UnidentifiedImageError:
        way = way_to_convert(path) or impostor(path) or film_of_another_name(path)
        raise UserError(f"{path}: {way or _unknown(path)}") from None
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except _DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: damaged image ({reason}); replace or remove the file") from error


def _unknown(path: Path) -> str:
    """What to say of a file that Pillow cannot open: a TIFF may hold what only other programs, or `infer`, read."""
    with open_regular(path) as file:
        start = file.read(4)
    if start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "a TIFF of a kind that is not read here (floats, many channels, or damaged); make it one of 8 bits"
    return "not an image, or one that Pillow does not know"


def open_safely(file: BinaryIO) -> Image.Image:
    """Open without Pillow's own pixel limit, which at one size warns and at twice the size raises: ours does both."""
    know_heif(file)
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def problem_of(image: Image.Image, size: int, max_pixels: int, *, deep: bool = False) -> str | None:
    """Why an opened file of `size` bytes should not be decoded, by its header alone. `deep`: 16 bits are welcome."""
    pixels = image.width * image.height
    if pixels > max_pixels:
        return f"{pixels:,} pixels are more than the limit of {max_pixels:,}"
    if max(image.size) > _MAX_SIDE:
        return f"a side of {max(image.size):,} pixels is longer than {_MAX_SIDE:,}; cut it into pieces"
    if not deep and _is_beyond_8_bit(image):
        return "more than 8 bits per channel is not supported; convert it to 8 bits"
    if image.format in _PROGRAMS:
        return f"{image.format} is drawn by a program, not decoded; convert it to PNG"
    if image.format in ("JPEG", "MPO") and pixels > size * _JPEG_PIXELS_PER_BYTE:
        return f"damaged image ({size:,} bytes hold no JPEG of {pixels:,} pixels); replace or remove the file"
    if len(getattr(image, "tile", [])) > _PIECES:
        return f"its pixels lie in more than {_PIECES:,} strips or tiles; save it in fewer"
    return None


def endless(image: Image.Image) -> str | None:
    """Why an opened JPEG would keep a program busy: it has more scans than anybody makes. Reads the file to its end."""
    file: Any = getattr(image, "fp", None)
    if file is None or not image.info.get("progressive"):
        return None
    at = file.tell()  # behind the header of the first scan
    data = file.read()
    file.seek(at)
    scans, place = 1, 0
    while scans <= _SCANS and (marker := _MARKER.search(data, place)) and data[marker.start() + 1] != _END:
        scans += data[marker.start() + 1] == _SCAN
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")  # behind its segment
    if scans <= _SCANS:
        return None
    return f"a JPEG of more than {_SCANS} scans is made to keep programs busy; remove the file"


def _is_beyond_8_bit(image: Image.Image) -> bool:
    """Tell 16-bit and float images, which Pillow would silently cut to 8 bits where they have colour."""
    tiles = str([(tile[0], tile[-1]) for tile in getattr(image, "tile", [])])  # such as ("zip", "RGB;16B") of a PNG
    return image.mode.startswith(("I", "F")) or ";16" in tiles or "SGI16" in tiles

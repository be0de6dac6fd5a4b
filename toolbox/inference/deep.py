"""More than 8 bits in PNG, JPEG 2000 and PNM, which Pillow would cut to 8 bits where there is colour."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image

from toolbox.io.errors import UserError
from toolbox.io.files import open_regular

_READ = ("PNG", "JPEG2000", "PPM", "TIFF")


def declared_depth(path: Path, image: Image.Image) -> int:
    """Bits of a channel, 8 or 16, as the opened file declares them.

    Raises:
        UserError: more than 8 bits in a format of which only 8 would be read.
    """
    tiles = str(
        [(tile[0], tile[-1]) for tile in getattr(image, "tile", [])]
    )  # such as ("raw", "RGB;16B"), ("SGI16", …)
    deep = image.mode.startswith("I") or ";16" in tiles or "SGI16" in tiles
    with open_regular(path) as file:
        start = file.read(4096)
    if image.format == "PNG":
        deep = start[24] == 16
    elif image.format == "PPM":
        deep = image.mode == "I" or (image.mode != "F" and _pnm_header(path)[2] > 255)
        if image.mode == "RGB" and start[:2] == b"P3" and _plain_maximum(start) > 255:
            raise UserError(f"{path}: plain text of more than 8 bits would be cut to 8; convert it to binary PPM")
    elif image.format == "JPEG2000":
        size = start.find(b"\xff\x4f\xff\x51")  # start of codestream, then the size segment; ISO 15444-1, A.5.1
        deep = size >= 0 and (start[size + 42] & 0x7F) + 1 > 8
    elif image.format == "AVIF":
        box = start.find(b"av1C")
        deep = box >= 0 and bool(start[box + 6] & 0x40)  # high_bitdepth; AV1-ISOBMFF, section 2.3.3
    elif image.format == "HEIF":
        deep = int(image.info.get("bit_depth") or 8) > 8
    if deep and image.format not in _READ:
        way = "convert it to PNG or TIFF of 16 bits"
        raise UserError(f"{path}: holds more than 8 bits per channel, of which {image.format} would be cut to 8; {way}")
    return 16 if deep else 8


def read_deep(path: Path, image: Image.Image) -> tuple[np.ndarray, bool]:
    """Pixels (H, W, C) uint16 and whether the last channel is transparency."""
    if image.format == "PPM":
        if image.mode == "I":  # gray of every spelling, which Pillow spreads to 16 bits
            return np.array(image).astype(np.uint16)[..., None], False
        return _read_pnm(path), False
    array = decoded(path)
    if array.dtype != np.uint16:
        raise UserError(f"{path}: 16 bits per channel are declared, and {array.dtype} is found")
    if image.format == "PNG" and array.shape[2] == 4 and _png_colour(path) == 4:  # gray with transparency
        array = array[..., [0, 3]]
    clear = image.info.get("transparency")
    if image.format == "PNG" and array.shape[2] in (1, 3) and clear is not None:  # one colour is transparent
        seen = (array != np.array(clear, np.uint16)).any(-1, keepdims=True)
        array = np.concatenate([array, seen * np.uint16(65_535)], axis=2)
    return array, array.shape[2] in (2, 4)


def png_bits(path: Path) -> int:
    """Bits of a sample of a PNG, 1 to 16, as its header says."""
    with open_regular(path) as file:
        return file.read(25)[24]


def _png_colour(path: Path) -> int:
    with open_regular(path) as file:
        return file.read(26)[25]


def decoded(path: Path) -> np.ndarray:
    """What OpenCV reads, and tifffile leaves to imagecodecs: (H, W, 1, 3 or 4), red first."""
    import cv2

    array = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise UserError(f"{path}: damaged image (its pixels cannot be decoded); replace or remove the file")
    return array[..., None] if array.ndim == 2 else array[..., [2, 1, 0, 3][: array.shape[2]]]


def _pnm_header(path: Path) -> tuple[int, int, int, int, int]:
    """Width, height, highest level, offset of the pixels and channels; levels of 1 for a bitmap."""
    with open_regular(path) as file:
        start = file.read(4096)
    token = rb"(?:\s+|#[^\n]*\n)+"
    found = re.match(rb"P([56])" + token + rb"(\d+)" + token + rb"(\d+)" + token + rb"(\d+)\s", start)
    if found is None:
        return 0, 0, 1, 0, 0
    kind, width, height, highest = (int(each) for each in found.groups())
    return width, height, highest, found.end(), 3 if kind == 6 else 1


def _plain_maximum(start: bytes) -> int:
    """The highest level of a plain pixmap: the third number after its mark, comments left out."""
    numbers = re.findall(rb"\d+", re.sub(rb"#[^\n]*", b"", start[2:]))
    return int(numbers[2]) if len(numbers) > 2 else 0


def _read_pnm(path: Path) -> np.ndarray:
    width, height, highest, offset, channels = _pnm_header(path)
    data = path.read_bytes()[offset:]
    if len(data) < width * height * channels * 2:
        raise UserError(f"{path}: damaged image (cut short); replace or remove the file")
    array = np.frombuffer(data, ">u2", width * height * channels).reshape(height, width, channels)
    if highest == 65_535:
        return array.astype(np.uint16)
    return np.rint(array * (65_535 / highest)).clip(0, 65_535).astype(np.uint16)

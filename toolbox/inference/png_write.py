"""PNG of 16 bits, of which Pillow writes gray alone."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np

from toolbox.inference.metadata import png_chunks
from toolbox.inference.picture import Picture

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Of PNG, by number of channels."""
_GZIP_LEVEL = 6
_ROWS = 1 << 22
"""Bytes that are filtered at a time."""


def write_deep_png(file: BinaryIO, array: np.ndarray, picture: Picture) -> None:
    """16-bit PNG (H, W, 1 to 4), each row filtered by the one above; ISO 15948. Pillow writes 16 bits of gray alone."""
    height, width, channels = array.shape
    file.write(b"\x89PNG\r\n\x1a\n")
    _chunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0))
    if picture.icc_profile:
        _chunk(file, b"iCCP", b"ICC profile\0\0" + zlib.compress(picture.icc_profile))
    for name, data in png_chunks(picture.about):
        if not (picture.icc_profile and name in (b"sRGB", b"gAMA")):  # the profile says more
            _chunk(file, name, data)
    if picture.dpi:
        _chunk(file, b"pHYs", struct.pack(">IIB", *(round(each / 0.0254) for each in picture.dpi), 1))
    if picture.exif:
        _chunk(file, b"eXIf", picture.exif.removeprefix(b"Exif\0\0"))
    packer = zlib.compressobj(_GZIP_LEVEL)
    above = np.zeros((1, width * channels * 2), np.uint8)
    step = max(1, _ROWS // above.size)
    for start in range(0, height, step):
        rows = array[start : start + step].astype(">u2").reshape(-1, width * channels).view(np.uint8)
        filtered = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
        filtered[:, 0] = 2  # the filter "up", modulo 256
        filtered[:, 1:] = rows - np.concatenate([above, rows[:-1]])
        above = rows[-1:]
        _chunk(file, b"IDAT", packer.compress(filtered.tobytes()))
    _chunk(file, b"IDAT", packer.flush())
    _chunk(file, b"IEND", b"")


def _chunk(file: BinaryIO, name: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))

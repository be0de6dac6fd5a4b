"""Writing pictures: each format gets what it can hold, and a file is whole or not there."""

from __future__ import annotations

import os
import struct
import uuid
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from toolbox.inference.picture import GEO_TAGS, Picture, require_tifffile
from toolbox.io.errors import UserError
from toolbox.io.images import SUFFIXES

_KINDS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_LONGEST_SIDE = {"JPEG": 65_535, "WEBP": 16_383}
_JPEG_EXIF = 65_500
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # of PNG, by number of channels
_GZIP_LEVEL = 6
_ROWS = 1 << 22  # bytes that are filtered at a time


def write_picture(path: str | os.PathLike[str], picture: Picture, *, quality: int = 95) -> None:
    """Write a picture in the format of its suffix; parent folders are made.

    PNG holds 8 and 16 bits (floats become 16), TIFF all types and any number of channels; JPEG, WebP and BMP 8 bits,
    to which deeper pictures are rounded. `quality` is for JPEG and WebP; JPEG keeps the full colour resolution.
    EXIF goes into PNG, JPEG and WebP, and into TIFF of 8 bits.

    Raises:
        UserError: an unknown suffix, or a format that cannot hold these channels or this size.
        OSError: the disk refuses.
    """
    path = Path(path)
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise UserError(
            f"{path}: cannot write {path.suffix or 'a file without suffix'}; use one of {' '.join(SUFFIXES)}"
        )
    _check(path, picture, kind)
    array = _in_type(picture.array, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")  # same folder, so that replacing is atomic
    try:
        if kind == "TIFF" and (array.dtype != np.uint8 or picture.geo or not _is_plain(picture)):
            _write_tiff(partial, path, array, picture)
        elif array.dtype == np.uint16:
            with partial.open("wb") as file:
                _write_deep_png(file, array, picture)
        else:
            pixels = array[..., 0] if array.shape[2] == 1 else array
            Image.fromarray(pixels).save(partial, format=kind, **_options(picture, kind, quality))
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _is_plain(picture: Picture) -> bool:
    """Gray or RGB, with or without transparency: what every program knows."""
    return picture.colours in (1, 3)


def _check(path: Path, picture: Picture, kind: str) -> None:
    height, width, channels = picture.array.shape
    if kind != "TIFF" and not _is_plain(picture):
        raise UserError(f"{path}: {kind} cannot hold {channels} channels; choose --format tif")
    if picture.alpha and kind in ("JPEG", "BMP"):
        raise UserError(f"{path}: {kind} holds no transparency; choose --format png, or --alpha drop")
    if max(height, width) > _LONGEST_SIDE.get(kind, max(height, width)):
        raise UserError(f"{path}: {kind} holds no side of {max(height, width):,} pixels; choose --format png or tif")


def _in_type(array: np.ndarray, kind: str) -> np.ndarray:
    """The same pixels in a type that the format holds, rounded to the nearest level."""
    if kind == "TIFF" or array.dtype == np.uint8:
        return array
    if array.dtype == np.float32:
        highest, dtype = (65_535, np.uint16) if kind == "PNG" else (255, np.uint8)
        return (np.clip(array, 0, 1) * highest + 0.5).astype(dtype)
    return array if kind == "PNG" else ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _options(picture: Picture, kind: str, quality: int) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if kind in ("JPEG", "WEBP"):
        options["quality"] = quality
    if kind == "JPEG":
        options["subsampling"] = 0
    if kind == "WEBP":
        options["exact"] = True  # colours under transparency are kept
    if kind == "TIFF" and not picture.exif:  # libtiff, which compresses, cannot write EXIF
        options["compression"] = "tiff_adobe_deflate"
    if picture.icc_profile and kind != "BMP":
        options["icc_profile"] = picture.icc_profile
    if picture.exif and kind != "BMP" and not (kind == "JPEG" and len(picture.exif) > _JPEG_EXIF):
        options["exif"] = picture.exif
    if picture.dpi and kind != "WEBP":
        options["dpi"] = picture.dpi
    return options


def _write_tiff(partial: Path, path: Path, array: np.ndarray, picture: Picture) -> None:
    plain = _is_plain(picture)
    main = picture.colours if plain else 1
    extra = array.shape[2] - main
    geo = []
    for code, value in picture.geo.items():
        text = isinstance(value, str)
        geo.append((code, GEO_TAGS[code], 0 if text else len(value), value, True))
    resolution = {"resolution": picture.dpi, "resolutionunit": "INCH"} if picture.dpi else {}
    require_tifffile(path).imwrite(
        partial,
        array[..., 0] if array.shape[2] == 1 else array,
        photometric="rgb" if plain and main == 3 else "minisblack",
        planarconfig="contig" if array.shape[2] > 1 else None,
        extrasamples=["unassalpha" if picture.alpha and i == extra - 1 else "unspecified" for i in range(extra)],
        compression="zlib",
        iccprofile=picture.icc_profile,
        extratags=geo,
        metadata=None,
        bigtiff=array.nbytes > 3 << 30,
        **resolution,
    )


def _write_deep_png(file: BinaryIO, array: np.ndarray, picture: Picture) -> None:
    """16-bit PNG (H, W, 1 to 4), each row filtered by the one above; ISO 15948. Pillow writes 16 bits of gray alone."""
    height, width, channels = array.shape
    file.write(b"\x89PNG\r\n\x1a\n")
    _chunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0))
    if picture.icc_profile:
        _chunk(file, b"iCCP", b"ICC profile\0\0" + zlib.compress(picture.icc_profile))
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

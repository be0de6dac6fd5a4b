"""A thousand damaged images: read, or refused by name in one line, none taking a second."""

from __future__ import annotations

import io
import struct
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fuzzing import bytewise, fuzz, refused_quickly, scrambled
from toolbox.io.errors import UserError
from toolbox.io.images import read_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the damaged files lie, one after the other under one name."""
    return tmp_path_factory.mktemp("fuzz")


# ------------------------------------------------------------------ images


@cache
def images() -> dict[str, bytes]:
    """Whole files of every format and of the modes that are decoded differently."""
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(0, 256, (5, 6, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    rgb = Image.fromarray(smooth)
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 6, "2001:01:01 00:00:00"
    made: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "png": (rgb, "PNG", {"exif": exif}),
        "palette.png": (rgb.quantize(16), "PNG", {"transparency": 3}),
        "alpha.png": (rgb.convert("RGBA"), "PNG", {}),
        "gray.png": (rgb.convert("L"), "PNG", {}),
        "jpg": (rgb, "JPEG", {"exif": exif, "quality": 90}),
        "progressive.jpg": (rgb, "JPEG", {"progressive": True}),
        "cmyk.jpg": (rgb.convert("CMYK"), "JPEG", {}),
        "webp": (rgb, "WEBP", {"exif": exif}),
        "lossless.webp": (rgb.convert("RGBA"), "WEBP", {"lossless": True}),
        "bmp": (rgb, "BMP", {}),
        "palette.bmp": (rgb.quantize(16), "BMP", {}),
        "tif": (rgb, "TIFF", {"exif": exif}),
        "lzw.tif": (rgb, "TIFF", {"compression": "tiff_lzw"}),
        "jpeg.tif": (rgb, "TIFF", {"compression": "jpeg"}),
    }
    files = {}
    for name, (image, kind, options) in made.items():
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        files[name] = buffer.getvalue()
    return files


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
HEADERS = [
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"BM", b"II*\0", b"MM\0*", b"GIF89a",
    b"P6\n9 9\n255\n", EPS,
]  # fmt: skip
BYTES = [b"\x00", b"\xff", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xd9", b"IEND", b"\x00" * 40, *HEADERS]


@pytest.mark.parametrize("strict", [False, True], ids=["as users run", "warnings are errors"])
@settings(fuzz, max_examples=500)
@given(
    name=st.sampled_from(sorted(images())),
    header=st.none() | st.sampled_from([*HEADERS, *sorted(images())]),
    early=st.booleans(),  # damage the first 100 bytes, where sizes and kinds stand
    changes=bytewise,
)
def test_a_damaged_image_is_read_or_refused_by_name(
    folder: Path,
    strict: bool,
    name: str,
    header: bytes | str | None,
    early: bool,
    changes: list[tuple[str, int, int]],
) -> None:
    content = images()[name]
    if header is not None:
        start = images()[header][:64] if isinstance(header, str) else header
        content = start + content[len(start) :]
    head = 100 if early else len(content)
    file = folder / f"x.{name.rpartition('.')[2]}"
    file.write_bytes(scrambled(content[:head], changes, BYTES) + content[head:])
    with warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "ignore")
        with refused_quickly(file.name):
            array = read_image(file)
            assert array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3


def resized_tiff(width: int, height: int) -> bytes:
    """A small TIFF that claims another size."""
    content = bytearray(images()["tif"])
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag = struct.unpack_from("<H", content, entry)[0]
        if tag in (256, 257, 278):
            struct.pack_into("<HII", content, entry + 2, 4, 1, width if tag == 256 else height)
    return bytes(content)


def resized_jpeg(width: int, height: int) -> bytes:
    """A small JPEG that claims another size."""
    content = bytearray(images()["jpg"])
    struct.pack_into(">HH", content, content.index(b"\xff\xc0") + 5, height, width)
    return bytes(content)


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: resized_jpeg(13_000, 13_000), "hold no JPEG of 169,000,000 pixels"),  # was read, gray, in 6 s
        (lambda: resized_tiff(1, 170_000_000), "a side of 170,000,000 pixels"),  # took 1.6 GB before it was refused
        (lambda: EPS + b"showpage\n", "EPS is drawn by a program"),  # was handed to Ghostscript
    ],
    ids=["jpeg", "tiff", "eps"],
)
def test_a_header_that_promises_too_much_is_refused_before_decoding(folder: Path, make: Any, wanted: str) -> None:
    file = folder / "x.png"
    file.write_bytes(make())
    with pytest.raises(UserError, match=wanted):
        read_image(file)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_smallest_honest_jpegs_are_read(folder: Path, mode: str) -> None:
    file = folder / "flat.jpg"
    Image.new(mode, (1024, 2048)).save(file, quality=1, optimize=True, progressive=True)
    assert read_image(file).shape == (2048, 1024, 3)

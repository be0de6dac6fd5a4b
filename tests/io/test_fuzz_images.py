"""A thousand damaged images: read, or refused by name in one line, none taking a second."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from attacks.images import EPS, HEADERS, damaged, images
from fuzzing import bytewise, fuzz, refused_quickly
from toolbox.io.errors import UserError
from toolbox.io.images import read_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the damaged files lie, one after the other under one name."""
    return tmp_path_factory.mktemp("fuzz")


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
    file = folder / f"x.{name.rpartition('.')[2]}"
    file.write_bytes(damaged(name, header, early, changes))
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

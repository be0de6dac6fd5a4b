"""What files say beside their pixels goes wherever the result's format has a place for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from toolbox.inference.metadata import Metadata
from toolbox.inference.picture import Picture, read_picture
from toolbox.inference.picture_write import write_picture
from toolbox.io.errors import UserError

pytest.importorskip("tifffile")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>\xc3\xa9t\xc3\xa9</a></x:xmpmeta>'
SMALL, DEEP = np.full((4, 5, 3), 90, np.uint8), np.full((4, 5, 3), 900, np.uint16)
EXIF = Image.Exif()
EXIF[0x010E], EXIF[0x8298] = "a stone", "somebody"


@pytest.mark.parametrize(
    ("suffix", "array"),
    [
        (".png", SMALL),
        (".png", DEEP),
        (".jpg", SMALL),
        (".webp", SMALL),
        (".avif", SMALL),
        (".tif", SMALL),
        (".tif", DEEP),
    ],
)
def test_xmp_comes_through_every_format_that_has_a_place_for_it(tmp_path: Path, suffix: str, array: np.ndarray) -> None:
    for exif in (None, EXIF.tobytes()):
        write_picture(tmp_path / f"x{suffix}", Picture(array, about=Metadata(xmp=XMP), exif=exif))
        found = read_picture(tmp_path / f"x{suffix}")
        assert found.about.xmp == XMP and found.array.dtype == array.dtype
        if exif:
            kept = Image.Exif()
            kept.load(found.exif or b"")
            assert kept[0x010E] == "a stone" and kept[0x8298] == "somebody"


@pytest.mark.parametrize("array", [SMALL, DEEP])
def test_texts_of_a_png_come_through_latin_or_not(tmp_path: Path, array: np.ndarray) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Stein für drei")
    info.add_itxt("Description", "камень")
    Image.fromarray(SMALL).save(tmp_path / "x.png", pnginfo=info)
    texts = read_picture(tmp_path / "x.png").about
    write_picture(tmp_path / "y.png", Picture(array, about=texts))
    with Image.open(tmp_path / "y.png") as image:
        image.load()
        assert isinstance(image, PngImagePlugin.PngImageFile)
        assert image.text == {"Title": "Stein für drei", "Description": "камень"}


@pytest.mark.parametrize("suffix", [".jpg", ".gif", ".jp2", ".png", ".tif"])
def test_a_comment_goes_from_jpeg_to_what_holds_one(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(SMALL).save(tmp_path / "x.jpg", comment=b"by hand")
    write_picture(tmp_path / f"y{suffix}", read_picture(tmp_path / "x.jpg"))
    found = read_picture(tmp_path / f"y{suffix}")
    if suffix == ".png":
        assert found.about.texts == (("Comment", "by hand"),)
    elif suffix == ".tif":
        kept = Image.Exif()
        kept.load(found.exif or b"")
        assert kept[270] == "by hand"
    else:
        assert found.about.comment == b"by hand"


@pytest.mark.parametrize("array", [SMALL, DEEP])
def test_gamma_and_primaries_stay_in_png_and_are_refused_elsewhere(tmp_path: Path, array: np.ndarray) -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", (100_000).to_bytes(4, "big"))
    info.add(b"cHRM", bytes(range(32)))
    Image.fromarray(SMALL).save(tmp_path / "x.png", pnginfo=info)
    about = read_picture(tmp_path / "x.png").about
    write_picture(tmp_path / "y.png", Picture(array, about=about))
    assert read_picture(tmp_path / "y.png").about.colour == about.colour and len(about.colour) == 2
    with pytest.raises(UserError, match=r"y\.jpg: the picture has gamma 1, which JPEG cannot say; choose --format png"):
        write_picture(tmp_path / "y.jpg", Picture(array, about=about))
    plain = Metadata(colour=((b"gAMA", (45_455).to_bytes(4, "big")),))
    write_picture(tmp_path / "y.jpg", Picture(array, about=plain))


@pytest.mark.parametrize(("chunk", "gamma"), [(b"\x00\x00\x86\xa0\x01", 0.34464), (b"\x00", None), (b"", None)])
def test_a_gamma_chunk_of_another_length_ends_nothing(chunk: bytes, gamma: float | None) -> None:
    assert Metadata(colour=((b"gAMA", chunk),)).gamma == gamma

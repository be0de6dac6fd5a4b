"""Pictures of more frames, pages, scans or pieces than anybody draws are refused before they are decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attacks.bombs import BOMBS, apng, gif, pages, png, scans, tiff
from toolbox.inference.frames import read_frames
from toolbox.inference.header import read_header
from toolbox.inference.palette import colours_of
from toolbox.inference.picture import read_picture
from toolbox.inference.tiff import directories, open_tiff, pages_of
from toolbox.io.errors import UserError
from toolbox.io.images import pixels_of, read_image


def test_there_are_fifty_bombs() -> None:
    assert len(BOMBS) >= 50


@pytest.mark.parametrize(
    ("suffix", "make", "words", "read"),
    [
        ("gif", lambda: gif(4, 4, 10_001), "has more than 10,000 frames or pages", read_header),
        ("gif", lambda: gif(10_000, 10_000, 3), "3 frames or pages hold as much as 300,000,000 pixels", read_frames),
        ("png", lambda: apng(2, 10_001), "has more than 10,000 frames or pages", read_header),
        ("tif", lambda: pages(10_002), "has more than 10,000 frames or pages", read_picture),
        ("jpg", lambda: scans(64, 200), "a JPEG of more than 100 scans is made to keep", read_image),
        ("tif", lambda: tiff((257, 4, 1, 100_001), (278, 4, 1, 1), (273, 4, 100_001, 300), (279, 4, 100_001, 300),
                             data=bytes(900_000)), "its pixels lie in more than 100,000 strips", read_image),
    ],
)  # fmt: skip
def test_it_is_refused_by_what_its_header_says(
    suffix: str, make: Callable[[], bytes], words: str, read: Callable[[Path], object], tmp_path: Path
) -> None:
    file = tmp_path / f"x.{suffix}"
    file.write_bytes(make())
    with pytest.raises(UserError, match=rf"x\.{suffix}: .*{words}"):
        read(file)


def test_pages_are_counted_along_their_chain_and_a_circle_ends(tmp_path: Path) -> None:
    for content, count in ((pages(7), 7), (tiff(following=8), 1), (b"II*\0" + struct.pack("<I", 0), 0), (b"MM", 0)):
        file = tmp_path / "x.tif"
        file.write_bytes(content)
        with file.open("rb") as opened:
            assert directories(opened) == count


def test_a_large_picture_is_read_in_strips_to_the_same_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolbox.io.images._WHOLE", 100)
    for mode, shape in (("RGB", (37, 41, 3)), ("L", (37, 41)), ("RGBA", (37, 41, 4))):
        array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        assert np.array_equal(pixels_of(Image.fromarray(array, mode)), array)


def test_the_colours_of_a_large_picture_are_found_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(0).integers(0, 3, (50, 40, 3), np.uint8)
    whole = colours_of(array)
    monkeypatch.setattr("toolbox.inference.palette._STRIP", 100)
    found = colours_of(array)
    assert whole is not None and found is not None and len(found) == 27 and np.array_equal(found, whole)


def test_a_palette_has_the_colours_that_are_used(tmp_path: Path) -> None:
    image = Image.new("P", (2, 5), 3)
    image.putpalette([n for colour in range(6) for n in (colour, 10 * colour, 200)])
    image.putpixel((1, 4), 5)
    image.save(tmp_path / "x.png", transparency=5)
    palette = read_picture(tmp_path / "x.png").palette
    assert palette is not None and palette.tolist() == [[5, 50, 200, 0], [3, 30, 200, 255]]


def test_what_pillow_raises_of_an_unknown_kind_names_the_file(tmp_path: Path) -> None:
    content = bytearray(256)
    content[:4], content[4:8] = b"DDS ", struct.pack("<I", 124)
    content[12:20] = struct.pack("<II", 4, 4)
    (tmp_path / "x.dds").write_bytes(content)  # NotImplementedError: of no flags for its pixels
    (tmp_path / "x.png").write_bytes(png(4, 4)[:50])
    for name in ("x.dds", "x.png"):
        with pytest.raises(UserError, match=f"{name}: "):
            read_image(tmp_path / name)


def test_what_phones_append_to_a_jpeg_is_no_part_of_it(tmp_path: Path) -> None:
    """A film behind the picture may hold any bytes, those of markers too."""
    path = tmp_path / "a.jpg"
    path.write_bytes(scans(64, 5) + b"\xff\xda\x00\x02" * 500)
    assert read_image(path).shape == (64, 64, 3)


@pytest.mark.parametrize("successors", [[8], [14, 8]])
def test_pages_of_a_tiff_that_lead_in_a_circle_are_one_line(tmp_path: Path, successors: list[int]) -> None:
    """Pages without tags, the last one's successor the first: tifffile alone would follow them for ever."""
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + b"".join(struct.pack("<HI", 0, at) for at in successors))
    with pytest.raises(UserError, match="holds no whole page"):
        read_picture(path)
    with open_tiff(path) as file, pytest.raises(ValueError, match="holds no whole page"):
        pages_of(file)

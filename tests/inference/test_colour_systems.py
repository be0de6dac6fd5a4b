"""Lab, CMYK, multiplied transparency, one transparent colour: the same colours as RGB, worked out or by an oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage.color import rgb2lab

from toolbox.inference.colour_systems import lab_to_srgb, multiplied, straightened
from toolbox.inference.header import read_header
from toolbox.inference.picture import Picture, read_picture
from toolbox.inference.picture_write import write_picture
from toolbox.io.errors import UserError

tifffile = pytest.importorskip("tifffile")
RGB = np.random.default_rng(0).random((9, 8, 3))
LAB = rgb2lab(RGB, illuminant="D50")


def test_lab_becomes_srgb_as_scikit_image_has_it() -> None:
    assert np.abs(lab_to_srgb(np.array([[[100, 0, 0], [0, 0, 0]]], np.float32)) - [[[1.0] * 3, [0.0] * 3]]).max() < 2e-3
    from skimage.color import lab2xyz

    xyz = lab2xyz(LAB, illuminant="D50")
    linear = xyz @ np.linalg.inv([[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169],
                                  [0.0139322, 0.0971045, 0.7141733]]).T  # fmt: skip
    wanted = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055).clip(0, 1)
    assert np.abs(lab_to_srgb(LAB.astype(np.float32)) - wanted).max() < 2e-3


@pytest.mark.parametrize("system", ["cielab", "icclab"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_lab_tiff_is_read_as_the_colours_it_means(tmp_path: Path, system: str, dtype: type) -> None:
    wide = dtype is np.uint16
    stored = np.empty(LAB.shape, dtype)
    if system == "icclab":
        stored[..., 0] = np.rint(LAB[..., 0] * (652.80 if wide else 2.55))
        stored[..., 1:] = np.rint((LAB[..., 1:] + 128) * (256 if wide else 1))
    else:
        stored[..., 0] = np.rint(LAB[..., 0] * (655.35 if wide else 2.55))
        signed = np.rint(LAB[..., 1:] * (256 if wide else 1)).astype(np.int16 if wide else np.int8)
        stored[..., 1:] = signed.view(dtype)
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric=system)
    found = read_picture(tmp_path / "x.tif")
    wanted = lab_to_srgb(LAB.astype(np.float32))
    assert found.array.dtype == dtype and found.array.shape == (9, 8, 3) and not found.alpha
    error = np.abs(found.array / np.iinfo(dtype).max - wanted).max()
    assert error < (2e-3 if wide else 0.05)
    assert found.notes == (f"{tmp_path / 'x.tif'}: Lab becomes sRGB",)
    assert read_header(tmp_path / "x.tif").colours == 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_multiplied_transparency_is_read_straight_and_written_multiplied_again(tmp_path: Path, dtype: type) -> None:
    white = 1 if dtype is np.float32 else np.iinfo(dtype).max
    half = white / 2 if dtype is np.float32 else white // 2 + 1
    array = np.full((3, 4, 4), half, dtype)  # white, half transparent
    array[0] = 0
    tifffile.imwrite(tmp_path / "x.tif", array, photometric="rgb", extrasamples=["assocalpha"])
    found = read_picture(tmp_path / "x.tif")
    assert found.associated and found.alpha and (found.array[1:, :, :3] == white).all()
    write_picture(tmp_path / "y.tif", found)
    with tifffile.TiffFile(tmp_path / "y.tif") as file:
        assert np.array_equal(file.pages[0].asarray(), array) and file.pages[0].extrasamples == (1,)


def test_every_multiplied_level_of_8_bits_comes_back() -> None:
    alpha = np.arange(256, dtype=np.uint8)[:, None].repeat(256, 1)
    colour = np.minimum(alpha, np.arange(256, dtype=np.uint8))
    array = np.dstack([colour, alpha])
    assert np.array_equal(multiplied(straightened(array)), array)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_one_transparent_colour_of_a_deep_png_stays_transparent(tmp_path: Path, channels: int) -> None:
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    array = np.random.default_rng(0).integers(0, 65_536, (4, 5, channels), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", 5, 4, 16, 0 if channels == 1 else 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"tRNS", array[1, 2].astype(">u2").tobytes())]
    parts += [chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    found = read_picture(tmp_path / "x.png")
    assert found.alpha and np.array_equal(found.array[..., :-1], array)
    clear = found.array[..., -1] == 0
    assert clear[1, 2] and clear.sum() == 1 and (found.array[..., -1][~clear] == 65_535).all()
    assert read_header(tmp_path / "x.png").alpha


def test_cmyk_follows_its_profile_or_the_plain_complement_and_says_so(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "x.tif")
    found = read_picture(tmp_path / "x.tif")
    assert found.array[0, 0].tolist() == [255, 0, 0] and found.notes[0].endswith("CMYK becomes sRGB")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "x.tif", icc_profile=srgb)  # of other colours
    assert read_picture(tmp_path / "x.tif").array[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(("system", "shown"), [("separated", "CMYK"), ("cfa", "a camera's raw data")])
def test_deep_colours_that_are_not_converted_are_refused_by_name(tmp_path: Path, system: str, shown: str) -> None:
    channels = 4 if system == "separated" else 1
    array = np.zeros((4, 5, channels), np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", array.squeeze(), photometric=system)
    for read in (read_header, read_picture):
        with pytest.raises(
            UserError, match=rf"x\.tif: its colours are {shown}, which is not converted; save it as RGB"
        ):
            read(tmp_path / "x.tif")


def test_16_bits_of_jpeg_2000_and_pnm_are_read_in_full(tmp_path: Path) -> None:
    import cv2

    array = np.random.default_rng(0).integers(0, 65_536, (64, 65, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "x.jp2"), array[..., ::-1], [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])
    (tmp_path / "x.ppm").write_bytes(b"P6\n# a remark\n65 64\n65535\n" + array.astype(">u2").tobytes())
    (tmp_path / "x.pgm").write_bytes(b"P5 65 64 65535\n" + array[..., 0].astype(">u2").tobytes())
    for name, wanted in (("x.jp2", array), ("x.ppm", array), ("x.pgm", array[..., :1])):
        assert np.array_equal(read_picture(tmp_path / name).array, wanted), name
        assert read_header(tmp_path / name).depth == 16
    (tmp_path / "y.pgm").write_bytes(b"P5 2 1 1023\n" + np.array([0, 1023], ">u2").tobytes())
    assert read_picture(tmp_path / "y.pgm").array.ravel().tolist() == [0, 65_535]


def test_formats_whose_deeper_bits_would_be_cut_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (5, 4)).save(tmp_path / "x.sgi", bpc=2)
    for read in (read_header, read_picture):
        with pytest.raises(UserError, match=r"x\.sgi: holds more than 8 bits per channel, of which SGI would be cut"):
            read(tmp_path / "x.sgi")


@pytest.mark.parametrize("suffix", [".tga", ".dds", ".jp2"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_textures_of_8_bits_come_back_as_they_were(tmp_path: Path, mode: str, suffix: str) -> None:
    array = np.random.default_rng(1).integers(0, 256, (16, 20, len(mode)), dtype=np.uint8)
    picture = Picture(array, alpha="A" in mode)
    write_picture(tmp_path / f"x{suffix}", picture)
    found = read_picture(tmp_path / f"x{suffix}")
    assert np.array_equal(found.array, array) and found.alpha == picture.alpha


def test_a_tga_of_16_bits_is_read(tmp_path: Path) -> None:
    header = bytes([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 8, 0, 16, 0x20])
    (tmp_path / "x.tga").write_bytes(header + np.array([0x7C00, 0x03E0] * 8, "<u2").tobytes())
    assert read_picture(tmp_path / "x.tga").array[..., :3].tolist() == [[[255, 0, 0], [0, 255, 0]]] * 8


def test_a_cube_map_is_refused_and_a_photograph_with_a_preview_is_told(tmp_path: Path) -> None:
    write_picture(tmp_path / "x.dds", Picture(np.zeros((8, 8, 3), np.uint8)))
    data = bytearray((tmp_path / "x.dds").read_bytes())
    data[113] |= 0x02
    (tmp_path / "x.dds").write_bytes(data)
    with pytest.raises(UserError, match=r"x\.dds: is a cube map, of which one side would be read"):
        read_picture(tmp_path / "x.dds")
    photograph = Image.new("RGB", (16, 16), (9, 99, 199))
    photograph.save(tmp_path / "x.jpg", format="MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    found = read_picture(tmp_path / "x.jpg")
    assert found.array.shape == (16, 16, 3)
    assert found.notes == (
        f"{tmp_path / 'x.jpg'}: MPO with 2 pictures (previews, sizes or layers); the main one is taken",
    )

"""Pictures keep what their files hold: type, channels, transparency, profile, EXIF, place on Earth."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin, TiffTags

from toolbox.inference.header import read_header
from toolbox.inference.picture import Picture, read_picture
from toolbox.inference.picture_write import write_picture
from toolbox.io.errors import UserError

tifffile = pytest.importorskip("tifffile")
RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 65536, (19, 23, 8), dtype=np.uint16)
NOISE = RNG.integers(0, 256, (19, 23, 4), dtype=np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_of(orientation: int, **inner: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Camera & Sons"
    exif.get_ifd(0x8769).update({0x829A: 0.5, 0xA002: 53})
    return exif.tobytes()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("channels", "alpha"), [(1, False), (2, True), (3, False), (4, True)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_8_and_16_bits_come_back_bit_for_bit(
    tmp_path: Path, dtype: type, channels: int, alpha: bool, suffix: str
) -> None:
    array = (NOISE if dtype is np.uint8 else DEEP)[..., :channels]
    write_picture(tmp_path / f"x{suffix}", Picture(array, alpha=alpha, dpi=(300, 200)))
    found = read_picture(tmp_path / f"x{suffix}")
    assert found.array.dtype == dtype and np.array_equal(found.array, array)
    assert (found.alpha, found.colours) == (alpha, channels - alpha)
    assert [path.name for path in tmp_path.iterdir()] == [f"x{suffix}"]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_another_program_writes_in_16_bits_is_read_and_ours_by_it(tmp_path: Path, channels: int) -> None:
    order = [2, 1, 0, 3][:channels] if channels > 1 else [0]
    for suffix in (".png", ".tif"):
        cv2.imwrite(str(tmp_path / f"a{suffix}"), DEEP[..., order])
        assert np.array_equal(read_picture(tmp_path / f"a{suffix}").array, DEEP[..., :channels])
        write_picture(tmp_path / f"b{suffix}", Picture(DEEP[..., :channels], alpha=channels == 4))
        theirs = cv2.imread(str(tmp_path / f"b{suffix}"), cv2.IMREAD_UNCHANGED).reshape(19, 23, channels)
        assert np.array_equal(theirs, DEEP[..., order])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_dark_16_bit_picture_stays_16_bits(tmp_path: Path, suffix: str, channels: int) -> None:
    dark = (DEEP % 200)[..., :channels]
    cv2.imwrite(str(tmp_path / f"x{suffix}"), dark[..., ::-1])
    found = read_picture(tmp_path / f"x{suffix}").array
    assert found.dtype == np.uint16 and np.array_equal(found, dark)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_rasters_of_many_channels_are_kept_in_their_type(tmp_path: Path, dtype: type, planar: str) -> None:
    array = (DEEP[..., :5] // 256).astype(dtype)
    stored = array if planar == "contig" else np.moveaxis(array, -1, 0)
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric="minisblack", planarconfig=planar, compression="zlib")
    found = read_picture(tmp_path / "x.tif")
    assert found.array.dtype == dtype and np.array_equal(found.array, array) and not found.alpha
    write_picture(tmp_path / "y.tif", found)
    assert np.array_equal(read_picture(tmp_path / "y.tif").array, array)
    with pytest.raises(UserError, match=r"y\.png: PNG cannot hold 5 channels; choose --format tif"):
        write_picture(tmp_path / "y.png", found)


def test_four_bands_without_transparency_are_no_rgba(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", NOISE, photometric="minisblack", planarconfig="contig")
    found = read_picture(tmp_path / "x.tif")
    assert not found.alpha and np.array_equal(found.array, NOISE)
    write_picture(tmp_path / "y.tif", found)
    assert not read_picture(tmp_path / "y.tif").alpha


def test_five_bands_that_call_themselves_rgb_lose_none(tmp_path: Path) -> None:
    array = (DEEP[..., :5] // 256).astype(np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", array, photometric="rgb", planarconfig="contig")
    assert np.array_equal(read_picture(tmp_path / "x.tif").array, array)


def test_a_float_picture_stays_float_in_tiff_and_becomes_16_bits_in_png(tmp_path: Path) -> None:
    array = RNG.random((5, 7, 3), dtype=np.float32)
    write_picture(tmp_path / "x.tif", Picture(array))
    assert np.array_equal(read_picture(tmp_path / "x.tif").array, array)
    write_picture(tmp_path / "x.png", Picture(array))
    assert np.abs(read_picture(tmp_path / "x.png").array / 65535 - array).max() < 1e-5


def test_a_place_on_earth_is_kept_and_its_pixels_shrink_as_the_raster_grows(tmp_path: Path) -> None:
    tags = [
        (33550, "d", 3, (10.0, 20.0, 0.0), True),
        (33922, "d", 6, (2.0, 4.0, 0.0, 500_000.0, 4_000_000.0, 0.0), True),
        (34735, "H", 8, (1, 1, 0, 1, 3072, 0, 1, 32632), True),
        (42113, "s", 0, "0", True),
    ]
    tifffile.imwrite(tmp_path / "x.tif", DEEP, photometric="minisblack", planarconfig="contig", extratags=tags)
    found = read_picture(tmp_path / "x.tif")
    write_picture(tmp_path / "y.tif", found.with_pixels(found.array.repeat(4, 0).repeat(4, 1), alpha=False))
    geo = read_picture(tmp_path / "y.tif").geo
    assert geo[33550] == (2.5, 5.0, 0.0)
    assert geo[33922] == (8.0, 16.0, 0.0, 500_000.0, 4_000_000.0, 0.0)
    assert geo[34735] == (1, 1, 0, 1, 3072, 0, 1, 32632) and geo[42113] == "0"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_turned_upright_and_the_orientation_reset(tmp_path: Path, suffix: str, orientation: int) -> None:
    corner = np.zeros((16, 32, 3), np.uint8)
    corner[:8, :8] = 255
    Image.fromarray(corner).save(tmp_path / f"x{suffix}", exif=exif_of(orientation))
    found = read_picture(tmp_path / f"x{suffix}")
    y, x = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}[orientation]
    assert found.array.shape == ((16, 32, 3) if orientation < 5 else (32, 16, 3))
    assert found.array[:: -1 if y else 1, :: -1 if x else 1][3, 3].min() > 200, "the white corner is where it is seen"
    write_picture(tmp_path / f"y{suffix}", found)
    with Image.open(tmp_path / f"y{suffix}") as image:
        exif = image.getexif()
        assert exif.get(0x0112, 1) == 1 and exif[0x010F] == "Camera & Sons"
        inner = exif.get_ifd(0x8769)
        assert float(inner[0x829A]) == 0.5 and 0xA002 not in inner


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.webp", "x.tif", "deep.png", "deep.tif"])
def test_the_colour_profile_is_kept_byte_for_byte(tmp_path: Path, name: str) -> None:
    array = (DEEP if name.startswith("deep") else NOISE)[..., :3]
    write_picture(tmp_path / name, Picture(array, icc_profile=PROFILE, exif=exif_of(1)))
    found = read_picture(tmp_path / name)
    assert found.icc_profile == PROFILE
    gray = found.with_pixels(found.array[..., :1], alpha=False)
    assert gray.icc_profile is None, "a profile of RGB says nothing of gray"
    if name != "deep.tif":
        assert found.exif is not None
    with Image.open(tmp_path / name) as image:
        image.load()


def test_gray_palette_cmyk_and_one_bit_pictures_are_told_apart(tmp_path: Path) -> None:
    Image.fromarray(NOISE[..., 0]).save(tmp_path / "gray.jpg")
    Image.new("1", (3, 2), 1).save(tmp_path / "bit.png")
    palette = Image.new("P", (1, 1))
    palette.putpalette([10, 20, 30])
    palette.save(tmp_path / "palette.png", transparency=bytes([7]))
    Image.new("CMYK", (8, 8)).save(tmp_path / "cmyk.jpg", icc_profile=PROFILE)
    found = {path.name: read_picture(path) for path in tmp_path.iterdir()}
    assert found["gray.jpg"].array.shape == (19, 23, 1)
    assert found["bit.png"].array.tolist() == [[[255]] * 3] * 2
    assert found["palette.png"].array.tolist() == [[[10, 20, 30, 7]]] and found["palette.png"].alpha
    assert found["cmyk.jpg"].colours == 3 and found["cmyk.jpg"].icc_profile is None


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.95])
def test_a_truncated_deep_picture_is_named_in_one_line(tmp_path: Path, suffix: str, kept: float) -> None:
    write_picture(tmp_path / f"x{suffix}", Picture(DEEP[..., :3]))
    whole = (tmp_path / f"x{suffix}").read_bytes()
    (tmp_path / f"x{suffix}").write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(UserError, match=rf"x{suffix}: [^\n]+$"):
        read_picture(tmp_path / f"x{suffix}")


def test_a_picture_beyond_the_limit_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    for name, array in (("a.png", NOISE[..., :3]), ("b.tif", DEEP[..., :3]), ("c.tif", DEEP)):
        write_picture(tmp_path / name, Picture(array))
        with pytest.raises(UserError, match=rf"{name}: .*limit"):
            read_picture(tmp_path / name, max_pixels=400)


def test_what_a_format_cannot_hold_is_refused_or_rounded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.jpg: JPEG holds no transparency; choose --format png, or --alpha drop"):
        write_picture(tmp_path / "x.jpg", Picture(NOISE, alpha=True))
    with pytest.raises(UserError, match=r"x\.webp: WEBP holds no side of 16,384"):
        write_picture(tmp_path / "x.webp", Picture(np.zeros((1, 16_384, 3), np.uint8)))
    with pytest.raises(UserError, match="cannot write"):
        write_picture(tmp_path / "x.xyz", Picture(NOISE))
    levels = np.array([0, 128, 129, 257, 65_535], np.uint16).reshape(1, 5, 1)
    write_picture(tmp_path / "x.bmp", Picture(levels))
    assert read_picture(tmp_path / "x.bmp").array.ravel().tolist() == [0, 0, 1, 1, 255]
    assert not list(tmp_path.glob(".*"))


def test_a_kind_of_number_that_is_not_kept_is_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", DEEP.astype(np.int16), photometric="minisblack", planarconfig="contig")
    with pytest.raises(UserError, match=r"x\.tif: int16 .* convert it to uint8, uint16 or float32"):
        read_picture(tmp_path / "x.tif")


@pytest.mark.parametrize(
    "text", [b"P2\n2 1\n65535\n30000 60000\n", b"P5\n#" + b"x" * 5000 + b"\n2 1\n65535\n" + b"\x75\x30\xea\x60"]
)
def test_deep_gray_of_every_spelling_of_pnm_keeps_its_levels(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    path.write_bytes(text)
    assert read_header(path).depth == 16
    array = read_picture(path).array
    assert array.dtype == np.uint16 and array.ravel().tolist() == [30000, 60000]


def test_a_plain_pixmap_of_more_than_8_bits_is_refused_and_one_of_8_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ppm"
    path.write_bytes(b"P3\n# 65535\n1 1\n255\n1 2 3\n")
    assert read_picture(path).array.ravel().tolist() == [1, 2, 3]
    path.write_bytes(b"P3\n1 1\n65535\n30000 60000 1000\n")
    with pytest.raises(UserError, match="plain text of more than 8 bits would be cut to 8"):
        read_picture(path)


def test_one_number_of_a_place_on_earth_is_written_as_it_came(tmp_path: Path) -> None:
    numbers = TiffImagePlugin.ImageFileDirectory_v2()
    numbers.tagtype[34736] = TiffTags.DOUBLE
    numbers[34736] = (6378137.0,)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.tif", tiffinfo=numbers)
    write_picture(tmp_path / "b.tif", read_picture(tmp_path / "a.tif"))
    assert read_picture(tmp_path / "b.tif").geo[34736] == (6378137.0,)


def test_a_png_is_planned_without_its_pixels_though_exif_may_stand_behind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, late = tmp_path / "plain.png", tmp_path / "late.png"
    Image.new("RGB", (6, 4)).save(plain)
    exif = Image.Exif()
    exif[0x0112] = 6
    told = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = b"eXIf" + told
    chunk = len(told).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    whole = plain.read_bytes()
    late.write_bytes(whole[:-12] + chunk + whole[-12:])  # before IEND, behind the pixels
    assert (read_header(late).width, read_header(late).height) == (4, 6), "it lies on its side"
    assert read_picture(late).array.shape == (6, 4, 3)

    def decodes(_: object) -> None:
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decodes)
    assert (read_header(plain).width, read_header(plain).height) == (6, 4)
    with pytest.raises(UserError, match="pixels were decoded"):
        read_header(late)

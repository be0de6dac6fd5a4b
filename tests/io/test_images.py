"""Image files: what is read is right or refused by name, what is written is whole."""

from __future__ import annotations

import random
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from toolbox.io.errors import UserError
from toolbox.io.images import find_images, images_to_float, read_image, tensor_to_image, write_image
from toolbox.io.search import SUFFIXES, search

NOISE = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def test_importing_the_reader_does_not_import_torch():
    code = "import sys, toolbox.io.images; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_png_comes_back_as_it_was_written_and_red_is_the_first_channel(tmp_path):
    write_image(tmp_path / "new" / "folder" / "x.png", NOISE)
    assert np.array_equal(read_image(tmp_path / "new" / "folder" / "x.png"), NOISE)
    Image.new("RGB", (2, 1), "red").save(tmp_path / "red.png")
    assert read_image(tmp_path / "red.png").tolist() == [[[255, 0, 0]] * 2]


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".webp", ".bmp", ".tif"])
def test_every_format_is_written_and_read(tmp_path, suffix):
    smooth = cv2.GaussianBlur(NOISE, (0, 0), 4)
    write_image(tmp_path / f"x{suffix}", smooth)
    difference = read_image(tmp_path / f"x{suffix}").astype(int) - smooth
    assert np.abs(difference).mean() < 2


def test_gray_palette_alpha_and_cmyk_become_rgb(tmp_path):
    Image.fromarray(NOISE[..., 0]).save(tmp_path / "gray.png")
    assert np.array_equal(read_image(tmp_path / "gray.png"), NOISE[..., :1].repeat(3, axis=2))

    palette = Image.new("P", (1, 1))
    palette.putpalette([10, 20, 30])
    palette.save(tmp_path / "palette.png", transparency=bytes([0]))
    assert read_image(tmp_path / "palette.png").tolist() == [[[10, 20, 30]]]

    Image.new("RGBA", (1, 1), (10, 20, 30, 0)).save(tmp_path / "alpha.png")
    assert read_image(tmp_path / "alpha.png").tolist() == [[[10, 20, 30]]], "alpha is dropped, not composited"

    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg")
    assert np.abs(read_image(tmp_path / "cmyk.jpg").astype(int) - [255, 0, 0]).max() <= 3


def test_an_image_is_turned_upright_by_its_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate clockwise by 90 degrees to view
    Image.fromarray(NOISE).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "x.png"), np.rot90(NOISE, -1))


@pytest.mark.parametrize("colour", [True, False], ids=["rgb", "gray"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_16_bit_image_is_refused_instead_of_cut_to_8_bits(tmp_path, colour, suffix):
    pixels = NOISE.astype(np.uint16) if colour else NOISE[..., 0].astype(np.uint16)
    cv2.imwrite(str(tmp_path / f"x{suffix}"), pixels)
    with pytest.raises(UserError, match=r"x\.\w+: more than 8 bits per channel is not supported"):
        read_image(tmp_path / f"x{suffix}")
    cv2.imwrite(str(tmp_path / "f.tif"), NOISE[..., 0].astype(np.float32))
    with pytest.raises(UserError, match="more than 8 bits"):
        read_image(tmp_path / "f.tif")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_named(tmp_path, suffix, kept):
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    path = tmp_path / f"cut{suffix}"
    write_image(path, NOISE)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(UserError, match=rf"cut{suffix}: (damaged image|not an image|is empty, 0 bytes)"):
        read_image(path)


def test_a_png_whose_checksum_is_wrong_is_refused_although_it_decodes(tmp_path):
    path = tmp_path / "x.png"
    write_image(path, NOISE)
    data = bytearray(path.read_bytes())
    end = data.rindex(b"IEND") - 4  # the last data chunk's checksum stands before the length of IEND
    data[end - 1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"x\.png: damaged image"):
        read_image(path)


def test_an_image_beyond_the_pixel_limit_is_refused_before_it_is_decoded(tmp_path):
    write_image(tmp_path / "x.png", NOISE)
    with pytest.raises(UserError, match=r"x\.png: 1,961 pixels are more than the limit of 1,960"):
        read_image(tmp_path / "x.png", max_pixels=1960)
    assert read_image(tmp_path / "x.png", max_pixels=1961).shape == NOISE.shape
    Image.new("1", (14_000, 13_000)).save(tmp_path / "bomb.png")
    with pytest.raises(UserError, match=r"bomb\.png: 182,000,000 pixels"):
        read_image(tmp_path / "bomb.png")


def test_a_large_but_allowed_image_gives_no_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    write_image(tmp_path / "x.png", NOISE)
    assert read_image(tmp_path / "x.png").shape == NOISE.shape
    assert Image.MAX_IMAGE_PIXELS == 100


def test_what_is_no_readable_image_is_named(tmp_path):
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(UserError, match=r"text\.png: not an image"):
        read_image(tmp_path / "text.png")
    with pytest.raises(UserError, match=r"gone\.png: cannot be read: No such file"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_image(tmp_path)


@pytest.mark.filterwarnings("ignore")  # Pillow warns of damaged metadata
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif"])
def test_a_mutated_file_gives_an_image_or_a_user_error_of_one_line(tmp_path, suffix):
    write_image(tmp_path / f"whole{suffix}", NOISE)
    whole, draw = (tmp_path / f"whole{suffix}").read_bytes(), random.Random(suffix)
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 8)):
            data[draw.randrange(min(len(data), draw.choice([120, len(data)])))] = draw.randrange(256)
        (tmp_path / f"x{suffix}").write_bytes(data)
        try:
            assert read_image(tmp_path / f"x{suffix}").dtype == np.uint8
        except UserError as error:
            assert f"x{suffix}: " in str(error) and "\n" not in str(error)


def test_a_failed_write_raises_and_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    write_image(path, NOISE)

    def full_disk(self, file, **options):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_image(path, NOISE[::-1])
    assert [file.name for file in tmp_path.iterdir()] == ["x.png"]
    assert np.array_equal(read_image(path), NOISE)


def test_an_unknown_suffix_and_a_wrong_array_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"x\.txt: cannot write \.txt; use one of \.png"):
        write_image(tmp_path / "x.txt", NOISE)
    with pytest.raises(ValueError, match=r"got \(37, 53\) uint8"):
        write_image(tmp_path / "x.png", NOISE[..., 0])
    with pytest.raises(ValueError, match="float32"):
        write_image(tmp_path / "x.png", NOISE.astype(np.float32))


def test_images_are_found_nested_sorted_and_without_hidden_files(tmp_path):
    for name in ("b.PNG", "a/z.jpg", "a/B/y.Tiff", "a.webp", "notes.txt", ".b.png", ".hidden/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["a/B/y.Tiff", "a/z.jpg", "a.webp", "b.PNG"]


def test_hidden_images_are_told_and_what_macos_writes_beside_others_is_not(tmp_path):
    for name in (".b.png", ".x.jpg", "._c.png", ".DS_Store", ".thumbnails/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".self.png").symlink_to(tmp_path / ".self.png")
    note = "2 images are hidden by a dot and passed over: .b.png, .x.jpg"
    assert search(tmp_path).notes() == [f"{tmp_path}: {note}"]
    with pytest.raises(UserError, match=f"holds no image .*; {note}"):
        find_images(tmp_path)


@pytest.mark.parametrize("start", [b"II*\0", b"MM\0*", b"II+\0"])
def test_a_tiff_that_is_not_read_is_called_one(tmp_path, start):
    (tmp_path / "x.tif").write_bytes(start + b"\xff" * 60)
    with pytest.raises(UserError, match=r"x\.tif: (a TIFF of a kind that is not read here|damaged image)"):
        read_image(tmp_path / "x.tif")


def test_links_to_files_and_folders_are_followed_unless_they_loop(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "deep").mkdir(parents=True)
    outside.mkdir()
    for file in (outside / "x.png", root / "a.png"):
        file.touch()
    for link, target in (
        ("link.png", outside / "x.png"), ("inner.png", root / "a.png"), ("folder", outside), ("again", outside),
        ("deep/back", root), ("self", root / "self"), ("gone.png", tmp_path / "nowhere.png"),
    ):  # fmt: skip
        (root / link).symlink_to(target)
    found = search(root)
    names = [path.relative_to(root).as_posix() for path in found.images]
    assert names == ["a.png", "again/x.png", "folder/x.png", "inner.png", "link.png"]
    assert find_images(root) == found.images
    note = "3 links lead nowhere or back to a folder above, passed over: deep/back, gone.png, self"
    assert found.notes() == [f"{root}: {note}"]


def test_what_is_no_image_is_counted_and_named_with_the_way_to_make_one(tmp_path):
    for name in ("a.png", "b.jfif", "c.HEIC", "d.dds", "notes.txt", "page.pdf", "x.json", "y.json"):
        (tmp_path / name).touch()
    found = search(tmp_path)
    assert [path.name for path in found.images] == ["a.png", "b.jfif", "c.HEIC", "d.dds"]
    (note,) = found.notes()
    assert "4 files are no image and passed over: notes.txt, page.pdf, x.json and 1 more" in note
    assert "pdftoppm -r 300 -png page.pdf page" in note
    (tmp_path / "apart").mkdir()
    (tmp_path / "apart" / "made.png").touch()
    assert len(search(tmp_path).images) == 5 and len(search(tmp_path, without=[tmp_path / "apart"]).images) == 4


def test_every_suffix_of_what_pillow_decodes_by_itself_is_searched_for():
    Image.init()
    programs_and_stubs = {"EPS", "WMF", "MPEG", "HDF5", "GRIB", "BUFR", "IPTC"}
    known = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    left_out = {suffix for suffix, kind in Image.registered_extensions().items() if kind in programs_and_stubs}
    assert known - left_out <= set(SUFFIXES)


def test_heic_without_its_package_is_named_with_the_way_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(20))
    with pytest.raises(UserError, match=r"x\.heic: HEIC needs another package: pip install 'gan-toolbox\[heif\]'"):
        read_image(tmp_path / "x.heic")
    (tmp_path / "page.pdf").write_bytes(b"%PDF-1.7")
    with pytest.raises(UserError, match=r"page\.pdf: a PDF page is drawn, .* pdftoppm -r 300 -png page\.pdf page"):
        read_image(tmp_path / "page.pdf")


def test_a_missing_or_empty_folder_or_a_file_is_named(tmp_path):
    (tmp_path / "file.png").touch()
    (tmp_path / "empty").mkdir()
    for name, reason in (("none", "no such folder"), ("file.png", "is a file"), ("empty", "holds no image")):
        with pytest.raises(UserError, match=f"{name}: {reason}"):
            find_images(tmp_path / name)


def test_every_8_bit_level_survives_the_way_to_float_and_back():
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    floats = images_to_float(levels)
    assert floats.dtype == torch.float32 and floats.max() == 1
    assert np.array_equal(tensor_to_image(floats[0])[..., 0], levels[0, 0].numpy())
    with pytest.raises(ValueError, match="takes uint8"):
        images_to_float(floats)


def test_a_tensor_is_clamped_and_rounded_to_the_nearest_level():
    image = torch.tensor([-1.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 7.0, float("inf")]).reshape(1, 1, 6)
    assert tensor_to_image(image).ravel().tolist() == [0, 0, 1, 254, 255, 255]
    assert tensor_to_image(torch.rand(3, 4, 5, requires_grad=True)).shape == (4, 5, 3)


def test_nan_has_no_colour():
    with pytest.raises(ValueError, match="NaN"):
        tensor_to_image(torch.tensor([[[float("nan")]]]))

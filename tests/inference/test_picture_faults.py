"""Pictures that are read as they are meant, or refused in one line: few bits, signs, cut TIFFs, missing palettes."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from runs import command, refused, sr_config, write_config
from toolbox.inference.picture import read_picture
from toolbox.io.errors import UserError

tifffile = pytest.importorskip("tifffile")
RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 65536, (19, 23, 3), dtype=np.uint16)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_clear_level_of_a_gray_png_of_few_bits_is_found(tmp_path: Path, bits: int) -> None:
    """PNG (Third Edition), 11.3.1.1: the level is that of the samples as they are stored."""
    most = (1 << bits) - 1
    levels = RNG.integers(0, most + 1, (8, 8), dtype=np.uint8)
    rows = np.packbits(np.unpackbits(levels[..., None], axis=2)[..., 8 - bits :].reshape(8, -1), axis=1)

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    header = (8).to_bytes(4, "big") * 2 + bytes([bits, 0, 0, 0, 0])
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    chunks = [(b"IHDR", header), (b"tRNS", bytes([0, 1])), (b"IDAT", data), (b"IEND", b"")]
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks))
    found = read_picture(tmp_path / "x.png")
    assert found.alpha and np.array_equal(found.array[..., 0], levels * (255 // most))
    assert np.array_equal(found.array[..., 1], np.where(levels == 1, 0, 255))


@pytest.mark.parametrize(
    ("dtype", "told"),
    [
        (np.int8, "int8 .* is not kept; convert it"),
        (np.int16, "16-bit integers with a sign"),
        (np.uint32, "32-bit integer"),
    ],
)
def test_whole_numbers_with_a_sign_are_no_others(tmp_path: Path, dtype: type, told: str) -> None:
    tifffile.imwrite(tmp_path / "x.tif", np.full((4, 5), 100, dtype) - np.arange(5, dtype=dtype) * 30)
    with pytest.raises(UserError, match=rf"x\.tif: {told}"):
        read_picture(tmp_path / "x.tif")


def test_a_tiff_that_is_cut_short_is_one_line_and_nothing_beside(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "x.tif"), NOISE)
    whole = (tmp_path / "x.tif").read_bytes()
    for part in (0.3, 0.9, 0.99):
        (tmp_path / "x.tif").write_bytes(whole[: int(len(whole) * part)])
        capfd.readouterr()
        assert command("infer", tmp_path / "x.tif", "-o", tmp_path / "out", "--weights", "enlarge-x2") == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith(f"error: {tmp_path / 'x.tif'}: ") and "index" not in line


def test_a_png_without_its_palette_is_damaged_and_not_black(tmp_path: Path) -> None:
    Image.fromarray(NOISE[..., 0].astype(np.uint8)).convert("P").save(tmp_path / "x.png")
    whole = (tmp_path / "x.png").read_bytes()
    at = whole.index(b"PLTE") - 4
    length = int.from_bytes(whole[at : at + 4], "big") + 12
    (tmp_path / "x.png").write_bytes(whole[:at] + whole[at + length :])
    with pytest.raises(UserError, match="numbers the colours of a palette, and has none"):
        read_picture(tmp_path / "x.png")


@pytest.mark.parametrize("names", [["a.png"], ["a.png", "b.png"]])
def test_pictures_that_prove_damaged_while_they_are_read_end_as_those_that_are_seen_before(
    names: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in names:
        cv2.imwrite(str(folder / name), NOISE)
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
    arguments = [folder, "-o", tmp_path / "out", "--weights", "enlarge-x2"]
    assert command("infer", *arguments) == 2
    assert capsys.readouterr().err.count("error: ") == len(names)
    Image.new("RGB", (8, 8)).save(folder / "c.png")
    assert command("infer", *arguments) == 1  # what could be done is done
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["c.png"]


def test_a_preview_names_the_small_image_and_replaces_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    Image.new("RGB", (1, 9)).save(tmp_path / "small.png")
    line = refused(capsys, "preview", file, tmp_path / "small.png", "-o", tmp_path / "sheet.png")
    assert f"{tmp_path / 'small.png'}: an image of 9x1 is too small for a scale of 2" in line
    given = tmp_path / "photos" / "00.png"
    before = given.read_bytes()
    assert "would replace it" in refused(capsys, "preview", file, tmp_path / "photos", "-o", given)
    assert given.read_bytes() == before

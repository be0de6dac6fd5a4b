"""What a download left in place of a file is told as what it is, wherever a picture or weights are wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from runs import refused
from toolbox.io.errors import UserError
from toolbox.io.images import read_image
from toolbox.io.impostor import impostor
from toolbox.io.search import search
from toolbox.weights.checkpoint import read_checkpoint
from toolbox.weights.file import read_weights

FOUND = [
    (b"", "is empty, 0 bytes"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:4f\nsize 9\n", "is a pointer of Git LFS"),
    (b"<!DOCTYPE html>\n<html>", "is a web page"),
    (b"\xef\xbb\xbf  <!-- no -->\n<HTML lang=en>", "is a web page"),
    (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>', "is a web page"),
]


@pytest.mark.parametrize(("content", "told"), FOUND)
def test_pictures_and_weights_that_are_none_are_told_with_what_fetches_them(
    content: bytes, told: str, tmp_path: Path
) -> None:
    for name, read in (("a.png", read_image), ("a.pth", read_checkpoint), ("b.pth", read_weights)):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UserError) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: {told}"), caught.value


def test_safetensors_is_asked_too(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "a.safetensors"
    path.write_bytes(FOUND[1][0])
    with pytest.raises(UserError, match=r"a\.safetensors: is a pointer of Git LFS"):
        read_weights(path)


def test_real_files_and_missing_ones_are_none_of_these(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    assert [impostor(tmp_path / name) for name in ("a.png", "a.pth", "none.png")] == [None] * 3


def test_colour_in_pfm_and_pam_have_a_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, start, told in (("a.pfm", b"PF\n2 2\n-1\n", "TIFF of floats"), ("a.pam", b"P7\nWIDTH 2\n", "PNG")):
        (tmp_path / name).write_bytes(start)
        line = refused(capsys, "infer", tmp_path / name, "-o", tmp_path / "out")
        assert told in line and "which is not read" in line


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"\xff\x0a\x00", "djxl photo.jxl photo.png"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "djxl photo.jxl photo.png"),
        (b"v/1\x01\x02\0\0\0", "oiiotool photo.exr -o photo.tif"),
        (b"#?RADIANCE\n", "oiiotool photo.hdr -o photo.tif"),
        (b"%PDF-1.7\n", "pdftoppm -r 300 -png photo.pdf photo"),
        (b"\0\0\0\x18ftypcrx \0", "dcraw -T -6 photo.cr3"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">', "rsvg-convert -o photo.png photo.svg"),
        (b"FUJIFILMCCD-RAW 0201", "dcraw -T -6 photo.raf"),
        (b"gimp xcf v011\0", "export a PNG from there"),
    ],
)
def test_a_picture_that_is_not_read_is_known_by_its_content_and_has_a_way_out(
    start: bytes, told: str, tmp_path: Path
) -> None:
    (tmp_path / "photo.png").write_bytes(start + bytes(40))
    with pytest.raises(UserError, match="is a picture of another kind") as caught:
        read_image(tmp_path / "photo.png")
    assert told in str(caught.value)


def test_each_kind_of_picture_that_a_folder_holds_and_nobody_reads_has_its_way_out(tmp_path: Path) -> None:
    for name in ("a.cr2", "b.cr2", "c.jxl", "d.kra", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    note = search(tmp_path).notes()[0]
    for told in ("dcraw -T -6 a.cr2", "djxl c.jxl c.png", "file of layers"):
        assert note.count(told) == 1


def test_films_and_pictures_of_each_others_names_are_told_what_to_be_called(tmp_path: Path) -> None:
    film = tmp_path / "a.png"
    film.write_bytes(b"\0\0\0\x20ftypisom" + bytes(64))
    with pytest.raises(UserError, match=r"a\.png: is a film, and no picture; rename it to end in \.mp4"):
        read_image(film)
    film.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(64))  # sound
    with pytest.raises(UserError, match=r"not an image"):
        read_image(film)
    pytest.importorskip("av")
    from toolbox.video.reading import open_video

    picture = tmp_path / "a.mp4"
    Image.new("RGB", (8, 8)).save(picture, "GIF")
    with (
        pytest.raises(UserError, match=r"a\.mp4: is a picture, and no film; rename it to end in \.gif"),
        open_video(picture),
    ):
        pass

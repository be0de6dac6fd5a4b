"""Only regular files are opened: what would be waited for without end is named, or passed over among images."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from runs import command, pictures, refused
from toolbox.config.load import read_text
from toolbox.inference.described import described_scale
from toolbox.io.errors import UserError
from toolbox.io.files import open_regular, replace_text, special_kind
from toolbox.io.images import count_pixels, find_images, images_at, read_image
from toolbox.weights.checkpoint import read_checkpoint
from toolbox.weights.file import read_description, read_weights
from toolbox.weights.importing import read_imported
from toolbox.weights.models import download
from toolbox.weights.official_models import MODELS

MADE: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link that leads back to itself": lambda path: path.symlink_to(path),
}


@pytest.fixture(params=[*MADE, "a socket"])
def special(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A picture's name that leads to no file, and what it leads to."""
    path = tmp_path / "in" / "x.png"
    path.parent.mkdir()
    if request.param in MADE:
        MADE[request.param](path)
        yield path, request.param
        return
    with socket.socket(socket.AF_UNIX) as bound, chdir(path.parent):  # a socket's path is short
        bound.bind(path.name)
        yield path, request.param


def test_whatever_is_no_file_is_named_and_not_waited_for(special: tuple[Path, str]) -> None:
    path, kind = special
    assert special_kind(path) == kind
    readers = (open_regular, read_image, count_pixels, find_images, images_at, read_checkpoint, read_description)
    for read in (*readers, read_weights):
        with pytest.raises(UserError, match=f"x.png: is {kind}, and a file is wanted"):
            read(path)
    weights = path.rename(path.with_name("x.safetensors")) if kind != "a link that leads back to itself" else path
    with pytest.raises(UserError, match=r"is a|there is no such weights file"):
        read_imported(weights)


def test_among_images_it_is_told_and_passed_over(special: tuple[Path, str], caplog: pytest.LogCaptureFixture) -> None:
    path, kind = special
    pictures(path.parent, 2)
    assert [each.name for each in find_images(path.parent)] == ["00.png", "01.png"]
    assert caplog.messages == [f"{path}: is {kind}, no image; it is passed over"]


def test_commands_name_it_in_one_line(special: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    path, kind = special
    assert f"x.png: is {kind}" in refused(capsys, "infer", path, "-o", path.parent / "out")
    photos = pictures(path.parent / "photos", 1)
    assert f"x.png: is {kind}" in refused(capsys, "evaluate", path, photos)
    assert command("evaluate", photos, photos, "--metric", "PSNR") == 0


def test_a_file_is_opened_and_a_folder_or_nothing_is_the_systems_own_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"text"
    assert special_kind(tmp_path) is None and special_kind(tmp_path / "none") is None
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")


def test_text_is_replaced_whole_and_stray_bytes_are_escapes(tmp_path: Path) -> None:
    path = tmp_path / "small.txt"
    for text in ("first", os.fsdecode(b"caf\xe9") + ", größe"):
        replace_text(path, text)
    assert path.read_text(encoding="utf-8") == r"caf\udce9, größe"
    assert [each.name for each in tmp_path.iterdir()] == ["small.txt"] and stat.S_ISREG(path.stat().st_mode)


def test_a_description_or_a_config_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.pth.json")
    assert described_scale(tmp_path / "x.pth", None) is None
    os.mkfifo(tmp_path / "x.yaml")
    with pytest.raises(UserError, match=r"x\.yaml.*pipe"):
        read_text(tmp_path / "x.yaml")
    with pytest.raises(UserError, match="is a pipe"):
        download(MODELS["RealESRGAN_x4plus"], source=tmp_path / "x.yaml")


def test_a_result_whose_name_is_a_loop_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = pictures(tmp_path / "photos", 1)
    (tmp_path / "out").symlink_to("out")
    assert "out" in refused(capsys, "infer", photos, "-o", tmp_path / "out")

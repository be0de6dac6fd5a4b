"""Files are written whole or not at all, and what a killed process left goes with the next that writes there."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from file_limit import limited
from runs import pictures
from toolbox.engine.log_file import tell_once
from toolbox.engine.progress import record
from toolbox.inference.files import translate
from toolbox.inference.picture import Picture
from toolbox.inference.picture_write import write_picture
from toolbox.inference.planning import plan
from toolbox.inference.predictor import Predictor
from toolbox.io import files
from toolbox.io.files import NotWritten, append_text, full_disk, replace_text, sweep
from toolbox.io.images import read_image, write_image

WRITER = """
import sys, time
from pathlib import Path
from toolbox.io.files import whole
with whole(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print(flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def nothing_swept_yet() -> None:
    files._sweep_once.cache_clear()


@contextmanager
def writing(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is amid a file; it is killed in the end."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "\n"
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    with writing(tmp_path / "a.txt") as process:
        (half,) = names(tmp_path)
        sweep(tmp_path)
        replace_text(tmp_path / "b.txt", "whole")
        assert names(tmp_path) == sorted([half, "b.txt"]) and (tmp_path / half).read_bytes() == b"half"
        process.kill()
        process.wait()
        files._sweep_once.cache_clear()  # as in the next run
        replace_text(tmp_path / "c.txt", "whole")
        assert names(tmp_path) == ["b.txt", "c.txt"]


def test_only_files_of_the_toolboxs_own_naming_are_swept(tmp_path: Path) -> None:
    own = [
        f".{'0f' * 16}.partial",
        f".x.png.{'a1' * 16}.partial",
        ".iter_5.pth.123.part",
        ".best_psnr.pth.sha256.9.part",
    ]
    others = [
        f"{'0f' * 16}.partial",
        ".left.partial",
        f".{'0g' * 16}.partial",
        ".vgg.pth.part",
        ".note.7.part",
        ".lock",
    ]
    for name in own + others:
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / f".{'1' * 32}.partial").mkdir()
    (tmp_path / f".{'2' * 32}.partial").symlink_to(tmp_path / ".lock")
    os.mkfifo(tmp_path / f".{'3' * 32}.partial")
    sweep(tmp_path)
    assert names(tmp_path) == sorted([*others, *(f".{digit * 32}.partial" for digit in "123")])


def test_where_the_disk_knows_no_locks_a_day_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*values: object) -> None:
        raise OSError(38, "Function not implemented")

    old, young = (tmp_path / f".{digit * 32}.partial" for digit in "ab")
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    for locks in ("without", "none"):
        if locks == "without":
            monkeypatch.setattr(files.fcntl, "flock", without)
        else:
            monkeypatch.setattr(files, "fcntl", None)  # Windows
            old.write_bytes(b"half")
            os.utime(old, (time.time() - 90_000,) * 2)
        files._sweep_once.cache_clear()
        replace_text(tmp_path / "x.txt", locks)
        assert names(tmp_path) == [young.name, "x.txt"] and (tmp_path / "x.txt").read_text() == locks


def test_a_file_that_was_swept_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, seen = files.fcntl.flock, []

    def late(handle: int, operation: int) -> None:
        if not seen:
            (path,) = tmp_path.glob(".*.partial")
            seen.append(path.name)
            path.unlink()
        lock(handle, operation)

    monkeypatch.setattr(files.fcntl, "flock", late)
    replace_text(tmp_path / "x.txt", "whole")
    assert seen and names(tmp_path) == ["x.txt"] and (tmp_path / "x.txt").read_text() == "whole"


def test_the_next_inference_into_a_folder_sweeps_it(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f".{'7b' * 16}.partial").write_bytes(b"half")
    jobs = plan([pictures(tmp_path / "in", 1)], tmp_path / "out").jobs
    assert [problem for _, problem in translate(Predictor(nn.Identity(), device="cpu"), jobs)] == [None]
    assert names(tmp_path / "out") == ["00.png"]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif"])
def test_a_picture_of_which_the_last_byte_does_not_fit_is_no_success(tmp_path: Path, suffix: str) -> None:
    """Pillow's own encoders write to a file's number, and do not look at how much of the last piece was taken."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / f"x{suffix}"
    if suffix == ".tif":
        write = lambda array: write_picture(path, Picture(array))  # noqa: E731
    else:
        write = lambda array: write_image(path, array)  # noqa: E731
    write(noise)
    before, size = read_image(path), path.stat().st_size
    with limited(size - 1), pytest.raises(NotWritten, match=r"could not be written \(File too large"):
        write(noise)
    assert names(tmp_path) == [path.name] and np.array_equal(read_image(path), before)
    write(noise[::-1])


def test_lines_that_do_not_fit_are_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    append_text(path, "first\n")
    with limited(10), pytest.raises(NotWritten, match="lines: could not be written"):
        append_text(path, "second\n")
    assert path.read_text() == "first\n"


def test_a_log_that_cannot_go_on_says_so_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = logging.FileHandler(tmp_path / "run.log")
    tell_once(handler)
    logger = logging.Logger("full")
    logger.addHandler(handler)
    with limited(10):
        for _ in range(3):
            logger.warning("more than ten bytes")
        handler.close()
    assert capsys.readouterr().err.count("\n") == 1


def test_curves_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    class Full:
        log_dir = tmp_path

        class visualizer:
            @staticmethod
            def add_scalars(values: dict[str, float], step: int) -> None:
                raise OSError(28, "No space left on device")

    with pytest.raises(NotWritten, match=r"vis_data: could not be written \(No space left"):
        record(Full, {"loss": 1.0}, 3)


def test_a_full_disk_is_told_from_other_errors(tmp_path: Path) -> None:
    line = full_disk(OSError(28, "No space left on device", str(tmp_path / "x")))
    assert line == f"{tmp_path / 'x'}: could not be written (No space left on device)"
    assert full_disk(FileNotFoundError(2, "No such file or directory", "x")) is None
    assert isinstance(NotWritten(tmp_path, OSError(28, "full")), OSError)

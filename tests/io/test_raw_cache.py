"""The raw cache: the same pixels as the files, made once, made anew when it must be, and never left half made."""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from toolbox.io import raw_cache
from toolbox.io.cache import cache_folder
from toolbox.io.errors import UserError
from toolbox.io.images import find_images, read_image, write_image
from toolbox.io.raw_cache import RawCache


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pictures of several sizes, formats and depths."""
    rng = np.random.default_rng(0)
    for name, size in (("a.png", (40, 30)), ("deep/b.jpg", (17, 23)), ("deep/er/ü c.webp", (8, 64))):
        write_image(tmp_path / "photos" / name, rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    return tmp_path / "photos"


@pytest.fixture
def cache(tmp_path: Path, photos: Path) -> Callable[[], RawCache]:
    """A new cache object over whatever the folder holds now."""
    return lambda: RawCache(find_images(photos), photos, tmp_path / "cache")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that the cache decodes."""
    names: list[str] = []

    def read(path: Path) -> np.ndarray:
        names.append(path.name)
        return read_image(path)

    monkeypatch.setattr(raw_cache, "read_image", read)
    return names


def same(cache: RawCache) -> bool:
    return all(np.array_equal(cache.read(i), read_image(path)) for i, path in enumerate(cache.paths))


def left(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.rglob("*") if path.is_file() and path.name != "lock")


def test_the_pixels_are_the_files_own(cache):
    assert same(cache())


def test_an_image_that_its_camera_turned_is_upright(tmp_path, photos, cache):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.new("RGB", (20, 10), "red").save(photos / "turned.jpg", exif=exif)
    made = cache()
    assert same(made) and made.read(made.paths.index(photos / "turned.jpg")).shape == (20, 10, 3)


def test_an_image_is_a_read_only_view_of_the_one_map(cache):
    image = cache().read(1)
    assert type(image) is np.ndarray and not image.flags.writeable and not image.flags.owndata
    assert isinstance(image[2:5, 3:9].base, np.ndarray)
    with pytest.raises(ValueError, match="read-only"):
        image[0] = 0


def test_a_second_object_and_a_later_run_decode_nothing(cache, decoded):
    cache().prepare()
    assert len(decoded) == 3
    assert same(cache()) and len(decoded) == 3


def test_files_that_were_changed_added_or_removed_make_it_anew(photos, cache, decoded):
    def change() -> None:
        state = (photos / "a.png").stat()
        write_image(photos / "a.png", 255 - read_image(photos / "a.png"))
        os.utime(photos / "a.png", ns=(state.st_atime_ns, state.st_mtime_ns + 1))

    steps = [
        change,
        lambda: shutil.copy(photos / "a.png", photos / "z.png"),
        lambda: (photos / "z.png").rename(photos / "y.png"),
        lambda: (photos / "a.png").unlink(),
    ]
    old = cache()
    assert same(old)
    for step in steps:
        first = old.read(0).copy()
        step()
        decoded.clear()
        new = cache()
        assert same(new) and len(decoded) == len(new) == len(find_images(photos))
        assert np.array_equal(old.read(0), first)  # whoever has it mapped goes on with what they had
        assert left(new.folder) == [".json", ".raw"]
        old = new


def test_a_file_that_changes_after_the_object_was_made_is_named(photos, cache):
    made = cache()
    write_image(photos / "a.png", np.zeros((40, 30, 3), np.uint8))
    with pytest.raises(UserError, match=r"a\.png: changed while the images were read; start again"):
        made.read(0)
    assert left(made.folder) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw, index: os.truncate(raw, raw.stat().st_size - 1),
        lambda raw, index: raw.write_bytes(b""),
        lambda raw, index: raw.unlink(),
        lambda raw, index: index.unlink(),
        lambda raw, index: os.truncate(index, index.stat().st_size // 2),
        lambda raw, index: index.write_bytes(b"\xff\x00"),
        lambda raw, index: index.write_text("[]"),
        lambda raw, index: index.write_text(json.dumps({**json.loads(index.read_text()), "places": [[0, 9**9, 9]]})),
        lambda raw, index: index.write_text(json.dumps({**json.loads(index.read_text()), "places": [[-9, 1, 1]] * 3})),
        lambda raw, index: index.write_text(json.dumps({**json.loads(index.read_text()), "key": "another"})),
    ],
)
def test_a_damaged_cache_is_made_anew(cache, decoded, damage):
    made = cache()
    made.prepare()
    damage(made.raw, made.index)
    decoded.clear()
    assert same(cache()) and len(decoded) == 3
    assert left(made.folder) == [".json", ".raw"]


def test_a_corrupt_image_is_named_and_leaves_no_half_cache(photos, cache):
    data = (photos / "a.png").read_bytes()
    (photos / "m.png").write_bytes(data[:-20])
    made = cache()
    with pytest.raises(UserError, match=r"m\.png: damaged image"):
        made.prepare()
    assert left(made.folder) == []
    (photos / "m.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"m\.png: not an image"):
        cache().prepare()
    (photos / "m.png").write_bytes(data)
    assert same(cache())


def test_an_image_too_large_to_decode_is_named_and_not_counted_as_room(photos, cache, monkeypatch):
    Image.new("RGB", (300, 300)).save(photos / "bomb.png")
    monkeypatch.setattr("toolbox.io.images.MAX_PIXELS", 80_000)
    with pytest.raises(UserError, match=r"bomb\.png: 90,000 pixels are more than the limit of 80,000"):
        cache().prepare()


def test_what_a_killed_process_left_is_removed_and_other_files_are_kept(cache):
    made = cache()
    made.folder.mkdir(parents=True)
    (made.folder / "0123.partial").write_bytes(b"half")
    (made.folder / "note.txt").write_text("mine")
    assert same(made) and left(made.folder) == [".json", ".raw", ".txt"]


def test_what_it_takes_is_told_and_refused_where_it_does_not_fit(cache, caplog, monkeypatch):
    need = (40 * 30 + 17 * 23 + 8 * 64) * 3
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 0, need - 1))
    with pytest.raises(UserError, match=r"photos needs 0\.0 MB, and 0\.0 MB are free; set TOOLBOX_CACHE"):
        cache().prepare()
    assert left(cache().folder) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 0, need))
    with caplog.at_level(logging.WARNING, logger="toolbox"):
        cache().prepare()
        cache().prepare()
    assert [record.message for record in caplog.records] == [
        f"{cache().root}: decoding 3 images once into {cache().folder}: 0.0 MB of 0.0 MB free"
    ]


def test_a_disk_that_fills_up_is_said_in_one_line_and_leaves_nothing(cache, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(raw_cache.os, "fsync", full)
    made = cache()
    with pytest.raises(UserError, match=r"cannot be written: No space left on device; set TOOLBOX_CACHE .* cache: fal"):
        made.prepare()
    assert left(made.folder) == []


def test_a_folder_that_cannot_be_written_is_said_in_one_line(photos, tmp_path):
    (tmp_path / "file").write_text("in the way")  # stands for a read-only home: root may write anywhere
    with pytest.raises(
        UserError, match=r"photos-\w+: cannot be written: Not a directory; set TOOLBOX_CACHE to a folder"
    ):
        RawCache(find_images(photos), photos, tmp_path / "file").prepare()


def test_the_cache_lies_where_the_environment_says_and_never_beside_the_data(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.setenv("TOOLBOX_CACHE", "")
    assert cache_folder() == tmp_path / "xdg" / "gan-toolbox"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_folder() == tmp_path / "home" / ".cache" / "gan-toolbox"
    before = sorted(photos.rglob("*"))
    made = RawCache(find_images(photos), photos)
    made.prepare()
    assert sorted(photos.rglob("*")) == before and made.folder.is_relative_to(tmp_path / "home")


def test_two_folders_of_one_name_have_a_cache_each_and_a_link_shares_its_targets(tmp_path, photos):
    shutil.copytree(photos, tmp_path / "other" / "photos")
    (tmp_path / "link").symlink_to(photos)
    first, other, link = (
        RawCache(find_images(root), root, tmp_path / "cache")
        for root in (photos, tmp_path / "other" / "photos", tmp_path / "link")
    )
    assert first.folder != other.folder and first.raw == link.raw


def test_pickling_carries_no_pixels_and_the_copy_reads_the_same(cache):
    made = cache()
    made.prepare()
    assert len(pickle.dumps(made)) < 2000
    assert same(pickle.loads(pickle.dumps(made)))


class Sums:
    """A map-style data set over a cache, at module level so that a spawned worker can have it."""

    def __init__(self, cache: RawCache) -> None:
        self.cache = cache

    def __len__(self) -> int:
        return len(self.cache)

    def __getitem__(self, index: int) -> int:
        return int(self.cache.read(index).sum())


def test_forked_workers_read_the_same(cache):
    made = cache()  # not made yet: the workers agree on who makes it
    sums = [int(read_image(path).sum()) for path in made.paths]
    assert list(DataLoader(Sums(made), batch_size=None, num_workers=2)) == sums  # pyright: ignore[reportArgumentType]
    assert left(made.folder) == [".json", ".raw"]


PROCESS = """
import sys
from pathlib import Path
from toolbox.io import raw_cache
from toolbox.io.images import find_images, read_image

def read(path):
    print(path.name)
    return read_image(path)

raw_cache.read_image = read
root = Path(sys.argv[1])
cache = raw_cache.RawCache(find_images(root), root, Path(sys.argv[2]))
sys.stdin.readline()  # until all have started
assert (cache.read(0) == read_image(cache.paths[0])).all()
"""


def test_processes_that_start_together_make_it_once(tmp_path, photos, cache):
    command = [sys.executable, "-c", PROCESS, str(photos), str(tmp_path / "cache")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    for number in range(20):  # enough that making takes longer than starting
        write_image(photos / f"{number}.png", np.random.default_rng(number).integers(0, 256, (300, 300, 3), np.uint8))
    started = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=60)[0].split("\n")[:-1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert sorted(len(names) for names in printed) == [0, 0, 23]
    assert same(cache())

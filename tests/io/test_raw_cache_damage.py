"""A raw cache that changed on the disk: the pixels are the files' own all the same, and the damage is told."""

from __future__ import annotations

import json
import logging
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from toolbox.engine.data import EndlessSamples
from toolbox.io.images import find_images, read_image, write_image
from toolbox.io.raw_cache import RawCache
from toolbox_plugins.datasets.folders import ImageFolder

SIZES = ((40, 30), (17, 23), (8, 64), (30, 40))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pictures of several sizes."""
    rng = np.random.default_rng(0)
    for number, size in enumerate(SIZES):
        write_image(tmp_path / "photos" / f"{number}.png", rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    return tmp_path / "photos"


@pytest.fixture
def cache(tmp_path: Path, photos: Path) -> Callable[[], RawCache]:
    """A new cache object, as another run would have it."""
    return lambda: RawCache(find_images(photos), photos, tmp_path / "cache")


def same(cache: RawCache) -> bool:
    return all(np.array_equal(cache.read(i), read_image(path)) for i, path in enumerate(cache.paths))


def flip(path: Path, rng: random.Random, *, bits: int) -> None:
    """Turn bits over in place, as a disk does: neither size nor time of change tell."""
    data = bytearray(path.read_bytes())
    for place in rng.sample(range(len(data) * 8), bits):
        data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_bits_are_flipped_the_pixels_stay_the_files_own(cache, caplog, seed):
    rng = random.Random(seed)
    made = cache()
    made.prepare()
    files = ((made.raw,), (made.index,), (made.raw, made.index))[seed % 3]
    for path in files:
        flip(path, rng, bits=rng.choice((1, 1, 2, 40)))
    caplog.clear()
    assert same(cache())
    damaged = [line for line in caplog.messages if "the image cache is damaged; it is made anew" in line]
    assert len(damaged) == 1 and str(made.folder) in damaged[0] and "\n" not in damaged[0]
    caplog.clear()
    assert same(cache()) and not caplog.messages  # it was mended for good


def test_an_index_that_says_other_sizes_is_not_believed(cache):
    made = cache()
    made.prepare()
    index = json.loads(made.index.read_text())
    offset, height, width = index["places"][0]
    made.index.write_text(json.dumps({**index, "places": [[offset, width, height], *index["places"][1:]]}))
    assert same(cache())


def test_an_index_of_an_older_version_is_made_anew(cache):
    made = cache()
    made.prepare()
    index = json.loads(made.index.read_text())
    made.index.write_text(json.dumps({key: index[key] for key in ("key", "files", "places")}))
    assert same(cache()) and "sums" in json.loads(made.index.read_text())


def test_who_reads_on_notices_what_was_damaged_since_it_began_and_others_take_what_it_made(cache, caplog):
    first, second = cache(), cache()
    assert np.array_equal(first.read(0), read_image(first.paths[0]))  # compared once: no more than that is promised
    second.prepare()
    data = bytearray(first.raw.read_bytes())
    data[-1] ^= 1  # of the last picture
    with first.raw.open("r+b") as file:  # where both have it mapped
        file.write(data)
    caplog.clear()
    assert same(first) and same(second)
    assert sum("is damaged" in line for line in caplog.messages) == 1


def test_the_training_data_of_workers_are_the_files_own_where_every_picture_was_damaged(tmp_path, photos, monkeypatch):
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path / "cache"))
    dataset = ImageFolder(root=str(photos), key="hr", cache=True)
    (raw,) = (tmp_path / "cache").rglob("*.raw")
    plain = EndlessSamples(ImageFolder(root=str(photos), key="hr"), seed=3)
    with raw.open("r+b") as file:
        file.write(bytes(byte ^ 64 for byte in raw.read_bytes()))
    loader = DataLoader(EndlessSamples(dataset, seed=3), batch_size=None, num_workers=2, sampler=range(8))
    for position, sample in enumerate(loader):
        assert np.array_equal(sample["hr"], plain[position]["hr"]), position
    assert same(RawCache(find_images(photos), photos))


def test_where_it_cannot_be_made_anew_damaged_images_are_decoded_and_that_is_told_once(cache, caplog):
    made = cache()
    made.prepare()
    (made.folder / "lock").unlink()
    (made.folder / "lock").mkdir()  # stands for a folder that cannot be written: root may write anywhere
    made.raw.write_bytes(bytes(made.raw.stat().st_size))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert same(cache()) is True
    assert len(caplog.messages) == 1
    assert f"{made.raw}: is damaged and cannot be made anew; damaged images are decoded (" in caplog.messages[0]


def test_where_there_is_no_room_to_make_it_anew_the_pixels_are_right_too(cache, monkeypatch):
    made = cache()
    made.prepare()
    made.raw.write_bytes(bytes(made.raw.stat().st_size))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 0, 10))
    assert same(cache())

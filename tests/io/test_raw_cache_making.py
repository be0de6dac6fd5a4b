"""A raw cache of what is made of images: its own place, the same care, and nothing kept that is of another size."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolbox.io.errors import UserError
from toolbox.io.images import find_images, read_image, write_image
from toolbox.io.raw_cache import Making, RawCache


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, size in (("a.png", (12, 9)), ("deep/b.png", (7, 16))):
        write_image(tmp_path / "photos" / name, rng.integers(0, 256, (*size, 3), np.uint8))
    return tmp_path / "photos"


@pytest.fixture
def cache(tmp_path: Path, photos: Path) -> Callable[[Making | None], RawCache]:
    return lambda making: RawCache(find_images(photos), photos, tmp_path / "cache", making)


def upside_down(image: np.ndarray, file: Path) -> np.ndarray:
    return image[::-1]


def test_it_holds_what_was_made_whatever_way_that_lies_in_memory(cache: Callable[[Making | None], RawCache]) -> None:
    turned, plain = cache(Making("turned", upside_down)), cache(None)
    for index, path in enumerate(plain.paths):
        assert np.array_equal(turned.read(index), read_image(path)[::-1]) and not turned.read(index).flags.writeable
        assert np.array_equal(plain.read(index), read_image(path)), "the images have a cache of their own"


def test_each_name_has_a_place_of_its_own_and_is_made_once(
    cache: Callable[[Making | None], RawCache], caplog: pytest.LogCaptureFixture
) -> None:
    made: list[int] = []

    def counted(image: np.ndarray, file: Path) -> np.ndarray:
        assert image.shape == read_image(file).shape
        made.append(len(image))
        return image // np.uint8(2)

    caches = [cache(None), cache(Making("one", counted)), cache(Making("other", counted))]
    assert len({each.folder for each in caches}) == len({each.key for each in caches}) == 3
    with caplog.at_level(logging.WARNING, logger="toolbox"):
        for each in caches[1:]:
            each.prepare()
    told = [record.message for record in caplog.records]
    assert len(made) == 4 and len(told) == 2 and all("making 2 images once into" in each for each in told)
    again = cache(Making("one", counted))
    assert np.array_equal(again.read(1), read_image(again.paths[1]) // 2) and len(made) == 4


def small(image: np.ndarray, file: Path) -> np.ndarray:
    return image[:5]


def precise(image: np.ndarray, file: Path) -> np.ndarray:
    return image.astype(np.float32)


@pytest.mark.parametrize("make", [small, precise])
def test_what_is_no_image_of_that_size_is_refused_and_nothing_is_left(
    make: Callable[[np.ndarray, Path], np.ndarray], cache: Callable[[Making | None], RawCache]
) -> None:
    made = cache(Making("odd", make))
    with pytest.raises(UserError, match=r"\.png: what is kept of it must be as large as it is"):
        made.prepare()
    assert [path.name for path in made.folder.iterdir()] == ["lock"]

"""Masks beside pictures: found by name and folder, of the picture's size and type, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toolbox.inference import masks as masks_module
from toolbox.inference.masks import Masks, with_masks
from toolbox.inference.picture import Picture, read_picture
from toolbox.io.errors import UserError
from toolbox.io.images import write_image


def mask(path: Path, level: int, side: int = 8) -> Path:
    write_image(path, np.full((side, side, 3), level, np.uint8))
    return path


def test_pictures_of_one_name_get_the_masks_of_their_folders(tmp_path: Path) -> None:
    for folder, level in (("a", 10), ("b", 20)):
        mask(tmp_path / "masks" / folder / "1.png", level)
    found = Masks("mask", tmp_path / "masks")
    for folder, level in (("a", 10), ("b", 20)):
        place, picture = found.of(tmp_path / "photos" / folder / "1.jpg")
        assert place.parent.name == folder and (picture.array == level).all()
    with pytest.raises(UserError, match=r"a/1\.png and .*b/1\.png may be the mask of .*1\.jpg; remove all but one"):
        found.of(tmp_path / "photos" / "1.jpg")
    with pytest.raises(UserError, match=r"holds no mask for .*2\.jpg \(an image called 2\)"):
        found.of(tmp_path / "photos" / "a" / "2.jpg")


def test_a_folder_is_looked_through_once_and_a_file_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, folder = mask(tmp_path / "one.png", 255), mask(tmp_path / "masks" / "1.png", 7).parent
    both = [Masks("mask", one), Masks("hole", folder)]
    monkeypatch.setattr(masks_module, "find_images", None)
    picture = Picture(np.full((8, 8, 1), 3, np.uint8))
    made = with_masks(picture, tmp_path / "1.png", both, channels=5)
    assert made.array.shape == (8, 8, 5) and made.array[0, 0].tolist() == [3, 3, 3, 255, 7] and not made.alpha
    monkeypatch.setattr(masks_module, "read_picture", None)
    assert (both[0].of(tmp_path / "2.png")[1].array == read_picture(one).array).all()


def test_levels_are_those_of_the_pictures_type_and_another_size_is_refused(tmp_path: Path) -> None:
    place = mask(tmp_path / "masks" / "1.png", 255)
    deep = Picture(np.zeros((8, 8, 3), np.uint16))
    assert with_masks(deep, tmp_path / "1.png", [Masks("mask", place)], 4).array[0, 0, 3] == 65_535
    with pytest.raises(UserError, match=r"is 8x8, and .* is 9x8; a mask has its picture's size"):
        with_masks(Picture(np.zeros((8, 9, 3), np.uint8)), tmp_path / "1.png", [Masks("mask", place)], 4)

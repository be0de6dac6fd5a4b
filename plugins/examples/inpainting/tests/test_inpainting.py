"""Inpainting keeps to the toolbox's contracts, and only the hole changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from inpainting.algorithm import Inpainting
from inpainting.dataset import PicturesWithHoles
from inpainting.generator import DilatedFiller
from inpainting.window import around
from PIL import Image

from toolbox import ConfigError
from toolbox.testing import assemble, batch_for, check_plugin, check_training
from toolbox.testing.objective import LeastSquares


def made(**arguments: Any) -> Inpainting:
    algorithm = assemble(Inpainting, LeastSquares, **{**Inpainting.example_arguments(), **arguments})
    assert isinstance(algorithm, Inpainting)
    return algorithm


def test_everything_that_is_registered_keeps_to_its_contract() -> None:
    results = list(check_plugin("inpainting"))
    assert [result for result in results if result.problem] == []
    assert {result.name for result in results if result.ran} == {"Inpainting", "DilatedFiller"}


def test_the_generator_and_both_discriminators_train() -> None:
    check_training(made())


def test_outside_of_the_hole_the_picture_stays_and_what_was_in_it_does_not_count() -> None:
    algorithm = made().eval()
    batch = batch_for(algorithm)
    picture, hole = batch["picture"], batch["mask"].bool().expand(-1, 3, -1, -1)
    filled = algorithm.predict(batch)
    assert torch.equal(filled[~hole], picture[~hole]) and not torch.equal(filled[hole], picture[hole])
    assert torch.equal(filled, algorithm.predict({**batch, "picture": picture.masked_fill(hole, 0.5)}))


def test_the_window_lies_around_the_hole_and_inside_the_picture() -> None:
    images = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(2, 1, 1, 1)
    hole = torch.zeros(2, 1, 8, 8)
    hole[0, :, 3:6, 4:7] = 1  # its middle is row 4, column 5
    hole[1, :, 7, 0] = 1  # in the corner
    windows = around(images, hole, 4)
    assert torch.equal(windows[0, 0], images[0, 0, 2:6, 3:7]) and torch.equal(windows[1, 0], images[0, 0, 4:8, 0:4])


def test_a_window_that_is_too_small_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.window: must be 8 or more, got 4"):
        made(window=4)


def test_a_hole_has_the_size_that_was_asked_for_and_is_random(tmp_path: Path) -> None:
    Image.new("RGB", (50, 40)).save(tmp_path / "one.png")
    dataset = PicturesWithHoles(root=str(tmp_path), size=32, hole=12)
    masks = [dataset.sample(0, np.random.default_rng(seed))["mask"] for seed in range(20)]
    assert all(36 <= mask.sum() <= 144 for mask in masks) and len({mask.tobytes() for mask in masks}) > 15


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="hole must be from 2 to size, got 64 and 32"):
        PicturesWithHoles(root=".", size=32, hole=64)
    with pytest.raises(ValueError, match=r"dilations must be 1 or more, got 32 and \[0\]"):
        DilatedFiller(dilations=(0,))

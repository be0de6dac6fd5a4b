"""Clips keep to the toolbox's contracts, and frames remember the frames before them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clips.algorithm import ClipUpscaling
from clips.dataset import MovingClips
from clips.discriminator import ClipDiscriminator
from clips.generator import RecurrentUpscaler
from clips.loss import FrameDifference
from PIL import Image

from toolbox.testing import assemble, check_plugin, check_training
from toolbox.testing.objective import LeastSquares


def test_everything_that_is_registered_keeps_to_its_contract() -> None:
    results = list(check_plugin("clips"))
    assert [result for result in results if result.problem] == []
    ran = {"ClipUpscaling", "RecurrentUpscaler", "ClipDiscriminator", "FrameDifference"}
    assert {result.name for result in results if result.ran} == ran


def test_both_networks_train_on_clips() -> None:
    check_training(assemble(ClipUpscaling, LeastSquares, **ClipUpscaling.example_arguments()))


def test_a_small_clip_is_the_mean_over_pixels_of_a_large_one_and_a_given_one_stays() -> None:
    algorithm = assemble(ClipUpscaling, LeastSquares, **ClipUpscaling.example_arguments())
    values: dict[str, Any] = {"hr": torch.rand(2, 3, 3, 8, 8)}
    algorithm.prepare(values)
    assert values["lr"].shape == (2, 3, 3, 4, 4)
    assert torch.allclose(values["lr"][1, 2, 0, 3, 1], values["hr"][1, 2, 0, 6:8, 2:4].mean())
    given = values["lr"] = torch.rand(2, 3, 3, 4, 4)
    algorithm.prepare(values)
    assert values["lr"] is given


def test_a_frame_depends_on_those_before_it_and_on_none_after_it() -> None:
    network, clip = RecurrentUpscaler(width=8), torch.rand(1, 3, 3, 8, 8)
    torch.nn.init.normal_(network.detail.weight)
    changed = clip.clone()
    changed[:, 1] = 0
    moved = (network(clip) - network(changed)).abs().amax((0, 2, 3, 4))
    assert moved[0] == 0 and moved[1] > 0 and moved[2] > 0


def test_an_error_that_stays_is_free_and_one_that_flickers_costs_twice_its_size() -> None:
    clip = torch.rand(1, 4, 3, 2, 2)
    flicker = torch.tensor([0.1, -0.1, 0.1, -0.1]).reshape(1, 4, 1, 1, 1)
    assert FrameDifference()(clip + 0.1, clip).item() == pytest.approx(0, abs=1e-7)
    assert FrameDifference()(clip + flicker, clip).item() == pytest.approx(0.2, rel=1e-5)


def test_a_clip_pans_over_the_photograph(tmp_path: Path) -> None:
    ramp = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    picture = np.stack([ramp // 64, ramp % 64, ramp * 0], 2).astype(np.uint8)  # red is the row, green the column
    Image.fromarray(picture).save(tmp_path / "one.png")
    for seed in range(5):
        clip = MovingClips(root=str(tmp_path), frames=4, size=16, motion=3).sample(0, np.random.default_rng(seed))["hr"]
        assert clip.shape == (4, 16, 16, 3)
        corners = clip[:, 0, 0, :2].astype(int)
        assert np.abs(np.diff(corners, axis=0)).max() <= 3 + 2  # the step, and the shake of both frames
        assert np.array_equal(clip[2, 5, 7, :2], corners[2] + (5, 7))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="frames must be 2 or more, size 8, motion 0, got 1, 64 and 3"):
        MovingClips(root=".", frames=1)
    with pytest.raises(ValueError, match="width and layers must be at least 1, got 16 and 0"):
        ClipDiscriminator(layers=0)

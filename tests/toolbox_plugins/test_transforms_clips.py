"""Crops, flips and sizes treat the frames of a clip alike, and masks like their pictures."""

from __future__ import annotations

import numpy as np
import pytest

from toolbox import Transform, UserError
from toolbox_plugins.transforms.geometry import CenterCrop, ModCrop, RandomCrop, RandomFlip, Resize, Shrink


@pytest.mark.parametrize(
    "transform",
    [
        RandomCrop(size=8),
        CenterCrop(size=8),
        ModCrop(multiple=8),
        RandomFlip(horizontal=1, vertical=0, rotate=0),
        RandomFlip(horizontal=1, vertical=1, rotate=1),
        Resize(size=[12, 10]),
        Resize(size=[30, 12]),
        Resize(short_side=8),
        Shrink(factor=4),
    ],
)
def test_frames_and_masks_are_changed_as_a_picture_is(transform: Transform) -> None:
    rng = np.random.default_rng(0)
    clip = rng.integers(0, 256, (3, 16, 20, 3), np.uint8)
    mask = clip[0, ..., 0].copy()
    changed = transform({"clip": clip, "mask": mask, "one": mask[..., None]}, np.random.default_rng(1))
    frames = [transform({"picture": frame}, np.random.default_rng(1))["picture"] for frame in clip]
    assert np.array_equal(changed["clip"], np.stack(frames))
    assert np.array_equal(changed["mask"], frames[0][..., 0]) and changed["mask"].ndim == 2
    assert np.array_equal(changed["one"], frames[0][..., :1])


@pytest.mark.parametrize("transform", [Resize(size=[8, 10]), Shrink(factor=2), Resize(size=[32, 40])])
def test_a_mask_of_yes_and_no_stays_one(transform: Transform) -> None:
    mask = np.zeros((16, 20), bool)
    mask[4:8, 10:16] = True
    made = transform({"mask": mask}, np.random.default_rng(0))["mask"]
    assert made.dtype == bool and made.mean() == pytest.approx(mask.mean(), abs=0.03)


def test_a_mask_of_another_size_is_refused_with_both_sizes() -> None:
    images = {"clip": np.zeros((2, 16, 20, 3), np.uint8), "mask": np.zeros((16, 16), bool)}
    with pytest.raises(UserError, match=r"differ by no whole factor \(clip 16x20, mask 16x16\)"):
        RandomCrop(size=8)(images, np.random.default_rng(0))


def test_a_clip_of_twice_the_size_is_cut_at_the_same_place() -> None:
    small = np.arange(16 * 16, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(2, 0)
    cut = RandomCrop(size=8)({"hr": small.repeat(2, 1).repeat(2, 2), "lr": small}, np.random.default_rng(0))
    assert cut["lr"].shape == (2, 4, 4, 1) and np.array_equal(cut["hr"][:, ::2, ::2], cut["lr"])

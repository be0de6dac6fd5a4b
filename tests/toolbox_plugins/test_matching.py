"""Flow by comparing blocks: known motion is found, and the warping loss is blind to what moves along."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from toolbox import UserError, image_size, read_image
from toolbox.testing.clips import moving_clips
from toolbox_plugins.matching.block_matching import agreement, block_flow
from toolbox_plugins.matching.loss import WarpingLoss
from toolbox_plugins.matching.warping import enlarged, inside, warp

PHOTO = sorted((Path(__file__).parents[2] / "configs/demo/photos/test").iterdir())[0]


@pytest.fixture(scope="module")
def photo() -> Tensor:
    assert min(image_size(PHOTO)) > 200
    pixels = torch.from_numpy(read_image(PHOTO)[:192:2, :224:2].copy())
    return (pixels.permute(2, 0, 1)[None] / 255).float()


def steady(columns: float, rows: float, like: Tensor) -> Tensor:
    return torch.tensor([columns, rows]).reshape(1, 2, 1, 1).expand(len(like), 2, *like.shape[-2:]).clone()


def test_a_flow_fetches_each_pixel_from_where_it_was() -> None:
    ramp = torch.arange(20.0).reshape(1, 1, 4, 5)  # five columns: one row further is 5 more
    moved = warp(ramp, steady(1, 2, ramp))
    assert moved[0, 0, 0, 0].item() == pytest.approx(11, abs=1e-4)
    assert moved[0, 0, 3, 4].item() == pytest.approx(19, abs=1e-4)  # beyond the border, its last pixel
    assert inside(steady(1, 2, ramp))[0, 0].tolist() == [[1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [0] * 5, [0] * 5]
    assert inside(steady(0, 0, ramp)).all()


def test_a_flow_of_a_larger_picture_is_larger() -> None:
    flow = enlarged(steady(1, -0.5, torch.zeros(1, 1, 4, 4)), 4)
    assert flow.shape == (1, 2, 16, 16) and torch.allclose(flow[0, :, 7, 7], torch.tensor([4.0, -2.0]))


@pytest.mark.parametrize("motion", [(0, 0), (1, 0), (-3, 2), (6, -5), (1.5, 0.5)])
def test_motion_that_is_known_is_found_in_a_photograph(photo: Tensor, motion: tuple[float, float]) -> None:
    flow = steady(*motion, photo)
    frame = warp(photo, flow, mode="bicubic")
    found = block_flow(frame, photo)
    middle = (slice(None), slice(None), slice(16, -16), slice(16, -16))
    assert (found - flow)[middle].norm(dim=1).median() < 0.5
    before, after = ((frame - each)[middle].abs().mean() for each in (photo, warp(photo, found)))
    assert after <= before * 0.5 + 2e-3
    assert agreement(frame, photo, found)[middle].mean() > 0.9


def test_what_has_nothing_to_do_with_a_frame_does_not_agree_with_it(photo: Tensor) -> None:
    other = 1 - photo.flip(-1)
    assert agreement(photo, other, block_flow(photo, other)).mean() < 0.5


def test_flow_has_no_gradient_and_takes_tiny_frames() -> None:
    frame = torch.rand(2, 3, 5, 4, requires_grad=True)
    assert not block_flow(frame, frame).requires_grad
    assert block_flow(frame, frame).abs().max() < 1e-2


def test_an_error_that_moves_along_is_free_and_one_that_boils_is_not() -> None:
    clip = moving_clips(1, 3, 32)
    texture = torch.rand(1, 1, 3, 32, 48) * 0.1
    travelling = torch.stack([texture[:, 0, ..., 2 * t : 2 * t + 40] for t in range(3)], 1)
    boiling = torch.rand(1, 3, 3, 32, 40) * 0.1
    for of in ("prediction", "error"):
        loss = WarpingLoss(of=of)
        assert loss(clip, clip) < 0.02
        assert loss(clip + boiling, clip) > 2 * loss(clip + travelling, clip)


def test_wrong_clips_are_refused() -> None:
    with pytest.raises(UserError, match=r"compares clips \(B, T, C, H, W\) of two frames or more, got \(1, 1, 3"):
        WarpingLoss()(torch.rand(1, 1, 3, 8, 8), torch.rand(1, 1, 3, 8, 8))
    with pytest.raises(UserError, match="of must be prediction or error, got 'flow'"):
        WarpingLoss(of="flow")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_rounds_pixels_and_not_places(dtype: torch.dtype) -> None:
    images = torch.rand(1, 3, 8, 240).to(dtype)
    flow = torch.full((1, 2, 8, 240), 3.0)
    moved = warp(images, flow)
    assert moved.dtype == dtype
    assert torch.allclose(moved[..., :5, :237].float(), images[..., 3:, 3:].float(), atol=4e-3)

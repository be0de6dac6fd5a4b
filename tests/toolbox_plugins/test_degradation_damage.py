"""Damage of old prints: contract, how much is hit, counts, gradients."""

from __future__ import annotations

import pytest
import torch

from toolbox.io.errors import UserError
from toolbox.testing import check_degradation
from toolbox_plugins.degradations.damage import Dust, Folds, MissingRegions, Scratches

STAGES = [Scratches, Dust, Folds, MissingRegions]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("stage", STAGES)
def test_the_contract_holds(stage: type) -> None:
    for channels in (1, 3):
        check_degradation(stage(), channels=channels)


@pytest.mark.parametrize("stage", STAGES)
def test_most_of_the_image_can_still_be_seen_and_some_cannot(stage: type) -> None:
    images = torch.rand(6, 3, 48, 64)
    changed = (stage()(images, rng()) - images).abs().amax(1) > 0.1
    share = changed.float().mean((1, 2))
    assert share.max() < 0.6 and share.mean() > 0.001


@pytest.mark.parametrize("stage", STAGES)
def test_the_gradient_is_that_of_the_pixels_still_seen(stage: type) -> None:
    images = (torch.rand(1, 3, 8, 9, dtype=torch.float64) * 0.4 + 0.3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: stage()(x, rng()), images)


def test_missing_regions_cover_the_area_asked_for_in_one_gray() -> None:
    images = torch.rand(1, 3, 50, 40)
    result = MissingRegions(area=(0.1, 0.1))(images, rng())
    hidden = (result != images).all(1)
    assert hidden.sum() == 200 and len(result.permute(0, 2, 3, 1)[hidden].unique()) == 1
    assert torch.equal(MissingRegions(area=(0, 0))(images, rng()), images)


def test_no_scratches_leave_the_image_and_a_full_one_is_opaque() -> None:
    images = torch.full((2, 3, 32, 32), 0.5)
    assert torch.equal(Scratches(count=(0, 1))(images, rng(4)).amin() > 0, torch.tensor(True))
    sharp = Scratches(count=(1, 1), width=(3, 3), length=(1.5, 1.5), opacity=(1, 1))(images, rng())
    for one in sharp:
        assert one.max() == pytest.approx(0.95) or one.min() == pytest.approx(0.05)


def test_a_fold_darkens_one_side_and_lightens_the_other() -> None:
    result = Folds(count=(1, 1), width=(0.5, 0.5))(torch.full((1, 1, 64, 64), 0.5), rng())
    assert result.min() < 0.48 and result.max() > 0.52


def test_counts_are_drawn_per_sample_between_their_bounds() -> None:
    counts = Dust(count=(2, 4)).draw(500, rng())["count"]
    assert set(counts.tolist()) == {2, 3, 4}
    with pytest.raises(UserError, match="count must be"):
        Dust(count=(4, 2))

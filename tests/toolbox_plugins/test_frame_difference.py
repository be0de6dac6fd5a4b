"""Frame differences: an error that stays is free, one that flickers is not, in pixels and in activations."""

from __future__ import annotations

import pytest
import torch

from toolbox import UserError
from toolbox.testing.clips import moving_clips
from toolbox.testing.networks import TinyFeatures
from toolbox_plugins.frame_difference.loss import FrameDifferenceLoss

FLICKER = torch.tensor([0.1, -0.1, 0.1]).reshape(1, 3, 1, 1, 1)


def test_an_error_that_flickers_by_a_tenth_costs_a_fifth_or_its_square() -> None:
    clip = moving_clips(1)
    assert FrameDifferenceLoss()(clip + 0.1, clip).item() == pytest.approx(0, abs=1e-7)
    assert FrameDifferenceLoss()(clip + FLICKER, clip).item() == pytest.approx(0.2, rel=1e-5)
    assert FrameDifferenceLoss(squared=True)(clip + FLICKER, clip).item() == pytest.approx(0.04, rel=1e-4)


def test_activations_are_compared_with_their_layers_weights() -> None:
    clip = moving_clips(1)
    alone, twice = (
        FrameDifferenceLoss(pixels=0, features=TinyFeatures(), layers={"deep": weight})(clip + FLICKER, clip).item()
        for weight in (1.0, 2.0)
    )
    assert alone > 0 and twice == pytest.approx(2 * alone, rel=1e-5)


def test_wrong_arguments_and_pictures_are_refused() -> None:
    with pytest.raises(UserError, match="pixels must be 0 or more, and above 0 where there are no features, got 0"):
        FrameDifferenceLoss(pixels=0)
    with pytest.raises(UserError, match="features and layers go together"):
        FrameDifferenceLoss(layers={"deep": 1.0})
    with pytest.raises(UserError, match="compares clips"):
        FrameDifferenceLoss()(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))

"""From floats to pixels: the fast way writes what the plain one computes, whatever lies where in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from toolbox.inference.levels import LEVELS, PART, put, typed
from toolbox.inference.predictor import Predictor

KINDS = {"bytes": np.uint8, "two bytes": np.uint16, "floats": np.float32}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_are_those_of_the_plain_computation(kind: str, channels: int) -> None:
    dtype = np.dtype(KINDS[kind])
    levels = LEVELS[dtype]
    width = PART // 40  # so that images are written in several parts
    images = torch.rand(2, channels, 90, width) * 1.2 - 0.1
    images[0, 0, 0, :9] = torch.tensor([0, 1, 0.5 / levels, 1.5 / levels, 2.5 / levels, -0.0, -1e9, -torch.inf, 2])
    last = images.contiguous(memory_format=torch.channels_last)
    for made in (images, last, images[..., 3:, 2:-1], last[..., 3:, 2:-1]):
        wanted = typed(made.permute(0, 2, 3, 1).numpy(), levels, dtype)
        whole = np.full((2, 100, width + 5, channels), 7, dtype)
        there = whole[:, 4 : 4 + wanted.shape[1], 3 : 3 + wanted.shape[2]]
        put(made, there, levels)
        np.testing.assert_array_equal(there, wanted)
        assert (whole[:, :4] == 7).all() and (whole[:, :, :3] == 7).all()


@pytest.mark.parametrize(("kind", "white"), [("bytes", 200.0), ("two bytes", 4095.0), ("floats", 255.0)])
def test_nothing_is_above_a_white_of_ones_own(kind: str, white: float) -> None:
    images = torch.rand(1, 3, 20, 30) * 1.5 - 0.2
    for made in (images, images.contiguous(memory_format=torch.channels_last)):
        there = np.zeros((1, 20, 30, 3), KINDS[kind])
        put(made, there, white)
        assert there.max() == white
        np.testing.assert_array_equal(there, typed(made.permute(0, 2, 3, 1).numpy(), white, there.dtype))


@pytest.mark.parametrize("far", [1e5, 1e9, 1e30, float("inf")])
def test_what_is_far_above_white_is_white(far: float) -> None:
    class Bright(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images * far

    made = Predictor(Bright())(np.full((8, 8, 3), 9, np.uint8))
    assert (made == 255).all()

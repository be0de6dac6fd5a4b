"""The bicubic degradation: 8-bit values, whole sizes, a gradient that passes the rounding."""

from __future__ import annotations

import pytest
import torch

from toolbox.io.errors import UserError
from toolbox.io.resize import resize_bicubic
from toolbox_plugins.degradations.bicubic import BicubicDegradation

RNG = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_images_shrink_by_the_scale_to_8_bit_values(scale):
    degradation = BicubicDegradation(scale=scale)
    small = degradation(torch.rand(2, 3, 48, 24), RNG)
    assert small.shape == (2, 3, 48 // scale, 24 // scale) and degradation.scale == scale
    assert torch.allclose(small * 255, (small * 255).round(), atol=1e-4)


def test_a_flat_image_keeps_its_level():
    flat = torch.full((1, 3, 16, 16), 137 / 255)
    assert torch.allclose(BicubicDegradation()(flat, RNG), flat[..., :4, :4], atol=1e-7)


def test_overshoot_is_cut_only_when_quantizing():
    edge = torch.zeros(1, 1, 32, 32)
    edge[..., 16:] = 1
    raw = BicubicDegradation(quantize=False)(edge, RNG)
    assert raw.min() < -0.01 and raw.max() > 1.01
    cut = BicubicDegradation()(edge, RNG)
    assert cut.min() == 0 and cut.max() == 1


def test_the_gradient_passes_rounding_and_cut_as_if_they_were_not_there():
    images = torch.rand(1, 3, 16, 16) * 1.4 - 0.2
    weight = torch.rand(1, 3, 4, 4)
    gradients = []
    for quantize in (True, False):
        x = images.clone().requires_grad_()
        (BicubicDegradation(quantize=quantize)(x, RNG) * weight).sum().backward()
        gradients.append(x.grad)
    assert gradients[0] is not None and gradients[0].abs().sum() > 0
    assert torch.equal(gradients[0], gradients[1])


def test_it_gives_the_same_with_and_without_a_gradient_up_to_float_rounding():
    images = torch.rand(1, 3, 16, 16)
    difference = BicubicDegradation()(images, RNG) - BicubicDegradation()(images.clone().requires_grad_(), RNG)
    assert difference.abs().max() < 1e-6


def test_it_draws_nothing_from_the_generator():
    state = RNG.get_state()
    BicubicDegradation()(torch.rand(1, 3, 8, 8), RNG)
    assert torch.equal(RNG.get_state(), state)


def test_without_quantizing_it_is_the_plain_resize():
    images = torch.rand(1, 3, 24, 24)
    assert torch.equal(BicubicDegradation(scale=3, quantize=False)(images, RNG), resize_bicubic(images, down=3))


def test_a_size_or_scale_that_does_not_fit_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"height 30 and width 32 must be multiples of 4 .*ModCrop"):
        BicubicDegradation()(torch.zeros(1, 3, 30, 32), RNG)
    with pytest.raises(UserError, match="scale must be 2, 3, 4 or 8, got 5"):
        BicubicDegradation(scale=5)

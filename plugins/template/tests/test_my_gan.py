"""The plugin keeps to the toolbox's contracts, and each component gives a value worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from my_gan.degradation import SensorDegradation
from my_gan.discriminator import TwoScalePatchDiscriminator
from my_gan.generator import SmoothShuffleUpscaler
from my_gan.loss import EdgeWeightedL1
from my_gan.transform import GammaJitter
from my_gan.variant import SoftHinge
from torch.nn.functional import interpolate, relu

from toolbox.testing import check_generator, check_plugin, check_variant


def test_everything_that_is_registered_keeps_to_its_contract() -> None:
    results = list(check_plugin("my_gan"))
    assert {result.name for result in results} >= {"SmoothShuffleUpscaler", "SoftHinge", "SensorDegradation"}
    assert [result for result in results if result.problem] == []


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_generator_keeps_to_its_contract_at_every_scale(scale: int) -> None:
    check_generator(SmoothShuffleUpscaler(width=8, depth=2, scale=scale))


def test_an_untrained_generator_is_the_bicubic_enlargement() -> None:
    images = torch.rand(2, 3, 7, 9)
    assert torch.equal(SmoothShuffleUpscaler()(images), interpolate(images, scale_factor=2, mode="bicubic"))


def test_the_generators_detail_has_no_checkerboard() -> None:
    network = SmoothShuffleUpscaler(channels=1, width=8)
    torch.nn.init.normal_(network.detail.weight)
    flat = network(torch.full((1, 1, 16, 16), 0.5))[..., 14:18, 14:18]
    assert torch.allclose(flat, flat[..., :1, :1].expand_as(flat), atol=1e-5)


def test_the_discriminator_judges_at_two_sizes() -> None:
    full, half = TwoScalePatchDiscriminator(width=4)(torch.rand(2, 3, 32, 48))
    assert full.shape == (2, 1, 8, 12) and half.shape == (2, 1, 4, 6)


def test_an_error_at_a_full_edge_counts_five_times() -> None:
    target = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 3, 1, 4)  # the slope is 1 at the second pixel, 0 elsewhere
    loss = EdgeWeightedL1(strength=4.0)
    assert torch.isclose(loss(target + 0.1, target), torch.tensor(0.1 * (1 + 5 + 1 + 1) / 4))


def test_a_sharp_soft_hinge_is_the_hinge() -> None:
    real, fake = torch.randn(2, 4, 1, 5, 5)
    hinge = relu(1 - real).mean() + relu(1 + fake).mean()
    assert torch.isclose(SoftHinge(sharpness=1e4).d_loss([real], [fake]), hinge, atol=1e-4)
    assert SoftHinge().g_loss([fake, fake], None) == -2 * fake.mean()


def test_the_soft_hinge_trains_the_plugins_own_discriminator() -> None:
    check_variant(SoftHinge, lambda: TwoScalePatchDiscriminator(width=8))


def test_noise_has_the_variance_that_was_asked_for() -> None:
    grey = torch.full((64, 1, 64, 64), 0.5)
    noisy = SensorDegradation(scale=2, shot=0.01, read=0.02)(grey, torch.Generator().manual_seed(0))
    variance = noisy.var(dim=(1, 2, 3))  # of each sample: 0.5 * shot + 0.02^2, with shot between 0 and 0.01
    assert 0.0003 < variance.min() < 0.0008 < 0.0045 < variance.max() < 0.0059
    assert variance.mean().item() == pytest.approx(0.5 * 0.005 + 0.0004, rel=0.15)


def test_gamma_keeps_black_and_white_and_treats_a_samples_images_alike() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    changed = GammaJitter(strength=2.0)({"a": ramp, "b": ramp}, np.random.default_rng(0))
    assert np.array_equal(changed["a"], changed["b"]) and not np.array_equal(changed["a"], ramp)
    assert changed["a"].min() == 0 and changed["a"].max() == 255


@pytest.mark.parametrize(
    ("component", "argument"),
    [
        (SmoothShuffleUpscaler, {"scale": 5}),
        (TwoScalePatchDiscriminator, {"layers": 0}),
        (EdgeWeightedL1, {"strength": -1.0}),
        (SoftHinge, {"margin": 0.0}),
        (SensorDegradation, {"read": 0.0}),
        (GammaJitter, {"strength": 0.5}),
    ],
)
def test_a_wrong_argument_is_refused_with_its_name_and_value(component: type, argument: dict[str, float]) -> None:
    (name, value), *_ = argument.items()
    with pytest.raises(ValueError, match=rf"{name}.* got .*{value}"):
        component(**argument)

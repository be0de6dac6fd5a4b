"""The objectives against values worked out by hand, the penalty against closed-form critics."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from matrix import VARIANTS
from toolbox.contracts.gan_variant import GanVariant, VariantError
from toolbox.io.errors import UserError
from toolbox.testing import check_variant
from toolbox_plugins.gan_variants.lsgan import LSGAN
from toolbox_plugins.gan_variants.spectral_norm import SpectralNorm
from toolbox_plugins.gan_variants.vanilla import Vanilla
from toolbox_plugins.gan_variants.wgan_gp import WGANGP

REAL, FAKE = [torch.tensor([[2.0], [0.0]])], [torch.tensor([[1.0], [-1.0]])]


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_pulls_the_players_apart(variant: str) -> None:
    check_variant(VARIANTS[variant])


def test_vanilla_is_cross_entropy_on_logits() -> None:
    d = (softplus(-2) + softplus(0)) / 2 + (softplus(1) + softplus(-1)) / 2
    assert float(Vanilla().d_loss(REAL, FAKE)) == pytest.approx(d)
    assert float(Vanilla().g_loss(FAKE, None)) == pytest.approx((softplus(-1) + softplus(1)) / 2)


def test_lsgan_halves_the_discriminators_loss_only() -> None:
    assert float(LSGAN().d_loss(REAL, FAKE)) == pytest.approx((1 + 1) / 4 + (1 + 1) / 4)
    assert float(LSGAN().g_loss(FAKE, None)) == pytest.approx((0 + 4) / 2)


def test_wgan_is_the_difference_of_the_means() -> None:
    assert float(WGANGP().d_loss(REAL, FAKE)) == pytest.approx(0 - 1)
    assert float(WGANGP().g_loss([torch.tensor([[3.0]])], None)) == pytest.approx(-3)


@pytest.mark.parametrize("variant", [Vanilla(), LSGAN(), WGANGP()])
def test_scales_are_summed_and_patches_averaged(variant: GanVariant) -> None:
    patches = torch.randn(2, 1, 4, 4)
    once = variant.g_loss([patches], None)
    assert torch.allclose(variant.g_loss([patches, patches], None), 2 * once)
    assert torch.allclose(variant.g_loss([patches.repeat(1, 1, 2, 2)], None), once)


def slope(value: float) -> nn.Module:
    """A linear critic whose gradient has that norm for images in [0, 1]."""

    class Critic(nn.Module):
        def forward(self, images: Tensor) -> list[Tensor]:
            return [value * images.flatten(1).sum(1, keepdim=True) / images[0].numel() ** 0.5]

    return Critic()


def test_wgan_gp_is_zero_for_a_critic_of_slope_one() -> None:
    images = torch.rand(3, 3, 8, 8)
    assert float(WGANGP(weight=10.0, image_span=1.0).regularize(slope(1.0), images, images)) < 1e-6
    # slope 1 for the paper's images in [-1, 1] is slope 2 for ours in [0, 1]
    assert float(WGANGP(weight=10.0).regularize(slope(2.0), images, images)) < 1e-6


def test_wgan_gp_penalises_each_samples_norm() -> None:
    class Quadratic(nn.Module):
        def forward(self, images: Tensor) -> list[Tensor]:
            return [images.flatten(1).square().sum(1, keepdim=True) / 2]  # gradient: the image itself

    images = torch.rand(5, 2, 4, 4)
    expected = 10 * (images.flatten(1).norm(dim=1) - 1).square().mean()
    assert torch.allclose(WGANGP(image_span=1.0).regularize(Quadratic(), images, images), expected)


def test_the_penalty_does_not_depend_on_the_number_of_patches() -> None:
    class Patches(nn.Module):
        def __init__(self, count: int) -> None:
            super().__init__()
            self.count = count

        def forward(self, images: Tensor) -> list[Tensor]:
            return [images.flatten(1).sum(1, keepdim=True).repeat(1, self.count)]

    images = torch.rand(2, 3, 4, 4)
    one, many = (WGANGP().regularize(Patches(n), images, images) for n in (1, 50))
    assert torch.allclose(one, many)


def test_wgan_gp_refuses_batch_norm_by_name_and_trains_without() -> None:
    with_norm = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    with pytest.raises(VariantError, match=r"WGANGP.*Sequential has batch norm \(1\).*norm: none"):
        WGANGP().prepare(with_norm)
    assert WGANGP().prepare(nn.Sequential(nn.Conv2d(3, 4, 3)))
    with pytest.raises(VariantError):
        SpectralNorm(base=WGANGP()).prepare(with_norm)


def test_spectral_norm_normalises_every_layer_once_and_delegates() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 1))
    variant = SpectralNorm(base=WGANGP(d_steps=3))
    variant.prepare(network)
    variant.prepare(network)
    assert variant.d_steps == 3
    assert [name for name, _ in network.named_parameters() if "original" in name] == [
        "0.parametrizations.weight.original",
        "2.parametrizations.weight.original",
    ]
    assert torch.equal(variant.d_loss(REAL, FAKE), WGANGP().d_loss(REAL, FAKE))
    with pytest.raises(VariantError, match="changes nothing"):
        SpectralNorm(base=variant)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(UserError, match="d_steps"):
        WGANGP(d_steps=0)


def test_a_penaltys_weight_in_a_config_reaches_the_variant() -> None:
    from toolbox.assembly.build import build_component

    critic: Any = build_component("gan_variants", {"type": "WGANGP", "weight": 3.0})
    assert critic.penalty.weight == 3.0
    assert float(critic.regularize(slope(0.0), torch.zeros(2, 3, 8, 8), torch.ones(2, 3, 8, 8))) == pytest.approx(3.0)


def test_spectral_norm_keeps_its_power_iteration_out_of_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = SpectralNorm(base=LSGAN()).prepare(nn.Linear(4, 4))
    seen: list[bool] = []
    mv = torch.mv
    monkeypatch.setattr(torch, "mv", lambda *a: seen.append(torch.is_autocast_enabled("cpu")) or mv(*a))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(torch.rand(2, 4)).dtype == torch.bfloat16
    assert seen and not any(seen)

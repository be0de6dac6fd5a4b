"""Every objective's losses and gradients in float64 against formulas worked out apart from it, with numpy alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from matrix import algorithm_class
from toolbox.contracts.gan_variant import GanVariant
from toolbox.io.errors import UserError
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox_plugins import gan_variants
from toolbox_plugins.gan_variants.dragan import DRAGAN
from toolbox_plugins.gan_variants.hinge import Hinge
from toolbox_plugins.gan_variants.lsgan import LSGAN
from toolbox_plugins.gan_variants.ragan import RaGAN
from toolbox_plugins.gan_variants.rpgan import RpGAN
from toolbox_plugins.gan_variants.spectral_norm import SpectralNorm
from toolbox_plugins.gan_variants.vanilla import Vanilla
from toolbox_plugins.gan_variants.wgan import WGAN, SoftplusWGAN
from toolbox_plugins.gan_variants.wgan_gp import WGANGP

Array = Any
Loss = tuple[float, Array, Array]
"""A value, and its gradients by the real and the fake logits of one scale."""


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def bce(x: Array, target: float) -> tuple[float, Array]:
    """Cross-entropy by its definition, -t log p - (1 - t) log(1 - p), and its gradient (p - t) / n."""
    p = sigmoid(x)
    return float(np.mean(-target * np.log(p) - (1 - target) * np.log(1 - p))), (p - target) / x.size


def vanilla(r: Array, f: Array, smoothing: float = 0.0) -> Loss:
    (a, da), (b, db) = bce(r, 1 - smoothing), bce(f, 0)
    return a + b, da, db


def squares(r: Array, f: Array, target: float = 1.0) -> Loss:
    return float((np.mean((r - target) ** 2) + np.mean(f**2)) / 2), (r - target) / r.size, f / f.size


def hinge(r: Array, f: Array) -> Loss:
    value = np.mean(np.maximum(0, 1 - r)) + np.mean(np.maximum(0, 1 + f))
    return float(value), (r < 1) * (-1 / r.size), (f > -1) * (1 / f.size)


def critic(r: Array, f: Array) -> Loss:
    return float(f.mean() - r.mean()), np.full_like(r, -1 / r.size), np.full_like(f, 1 / f.size)


def average(high: Array, low: Array) -> Loss:
    """RaGAN: (bce(high - mean low, 1) + bce(low - mean high, 0)) / 2, by the chain rule over both means."""
    (a, da), (b, db) = bce(high - low.mean(), 1), bce(low - high.mean(), 0)
    return (a + b) / 2, (da - db.sum() / high.size) / 2, (db - da.sum() / low.size) / 2


def average_squares(high: Array, low: Array) -> Loss:
    up, down = high - low.mean() - 1, low - high.mean() + 1
    da, db = 2 * up / up.size, 2 * down / down.size
    value = (np.mean(up**2) + np.mean(down**2)) / 2
    return float(value), (da - db.sum() / high.size) / 2, (db - da.sum() / low.size) / 2


def pairs(high: Array, low: Array) -> Loss:
    """RpGAN: -log sigmoid(high - low)."""
    p = sigmoid(high - low)
    return float(-np.log(p).mean()), -(1 - p) / p.size, (1 - p) / p.size


def held(loss: Callable[[Array, Array], Loss]) -> Callable[[Array, Array], Loss]:
    """A generator's loss of a relativistic objective: the fakes shall be high, the real logits get no gradient."""

    def swapped(r: Array, f: Array) -> Loss:
        value, by_fake, by_real = loss(f, r)
        return value, np.zeros_like(by_real), by_fake

    return swapped


def of_fakes(loss: Callable[[Array], tuple[float, Array]]) -> Callable[[Array, Array], Loss]:
    """A generator's loss that looks at the fakes alone."""
    return lambda r, f: (loss(f)[0], np.zeros_like(r), loss(f)[1])


@dataclass(frozen=True)
class Case:
    """An objective, and what its two losses must be."""

    variant: GanVariant
    d: Callable[[Array, Array], Loss]
    g: Callable[[Array, Array], Loss]
    boundary: float | None = None


def minus(f: Array) -> tuple[float, Array]:
    return -float(f.mean()), np.full_like(f, -1 / f.size)


def as_real(f: Array) -> tuple[float, Array]:
    return bce(f, 1)


def minimax(f: Array) -> tuple[float, Array]:
    """Equation 1 of the paper: the mean of log(1 - p)."""
    return float(np.mean(np.log(1 - sigmoid(f)))), -sigmoid(f) / f.size


CASES = {
    "Vanilla": Case(Vanilla(), vanilla, of_fakes(as_real), 0.0),
    "Vanilla, saturating": Case(Vanilla(saturating=True), vanilla, of_fakes(minimax), 0.0),
    "Vanilla, smoothed": Case(Vanilla(label_smoothing=0.1), lambda r, f: vanilla(r, f, 0.1), of_fakes(as_real), 0.0),
    "LSGAN": Case(LSGAN(), squares, of_fakes(lambda f: (float(np.mean((f - 1) ** 2)), 2 * (f - 1) / f.size)), 0.5),
    "LSGAN, smoothed": Case(
        LSGAN(label_smoothing=0.1),
        lambda r, f: squares(r, f, 0.9),
        of_fakes(lambda f: (float(np.mean((f - 1) ** 2)), 2 * (f - 1) / f.size)),
        0.5,
    ),
    "Hinge": Case(Hinge(), hinge, of_fakes(minus), 0.0),
    "WGAN": Case(WGAN(), critic, of_fakes(minus)),
    "WGANGP": Case(WGANGP(), critic, of_fakes(minus)),
    "SoftplusWGAN": Case(SoftplusWGAN(), vanilla, of_fakes(as_real), 0.0),
    "DRAGAN": Case(DRAGAN(), vanilla, of_fakes(as_real), 0.0),
    "RaGAN": Case(RaGAN(), average, held(average)),
    "RaGAN, squares": Case(RaGAN(objective="ls"), average_squares, held(average_squares)),
    "RpGAN": Case(RpGAN(), pairs, held(pairs)),
}
SHAPES: dict[str, list[tuple[int, ...]]] = {
    "scalars": [(5, 1)],
    "patches": [(3, 1, 4, 6)],
    "pixels of several scales": [(2, 1, 8, 8), (2, 1, 4, 4), (2, 1, 1, 1)],
}


def test_every_registered_objective_has_its_formula_here() -> None:
    registered: list[str] = []
    gan_variants.register_gan_variants(register=lambda name, component: registered.append(name))
    assert {name.split(",")[0] for name in CASES} == {*registered} - {"SpectralNorm"}


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("name", CASES)
def test_losses_and_gradients_are_those_of_the_formula(name: str, shapes: str) -> None:
    case, rng = CASES[name], np.random.default_rng(7)
    real, fake = ([2 * rng.standard_normal(shape) for shape in SHAPES[shapes]] for _ in range(2))
    for player, formula in (("d", case.d), ("g", case.g)):
        r, f = ([torch.from_numpy(each).requires_grad_() for each in side] for side in (real, fake))
        loss = case.variant.d_loss(r, f) if player == "d" else case.variant.g_loss(f, r)
        loss.backward()
        expected = [formula(*scale) for scale in zip(real, fake, strict=True)]
        assert loss.ndim == 0 and loss.dtype == torch.float64
        assert loss.item() == pytest.approx(sum(value for value, _, _ in expected), abs=1e-10, rel=0)
        for tensors, place in ((r, 1), (f, 2)):
            for tensor, scale in zip(tensors, expected, strict=True):
                got = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
                np.testing.assert_allclose(got.numpy(), scale[place], atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", CASES)
def test_sure_logits_give_finite_losses_and_gradients(name: str) -> None:
    variant = CASES[name].variant
    r, f = (torch.tensor([[value], [-value]], requires_grad=True) for value in (1e4, -1e4))
    for loss in (variant.d_loss([r], [f]), variant.g_loss([f], [r])):
        gradients = torch.autograd.grad(loss, (r, f), allow_unused=True)
        assert all(bool(torch.isfinite(each).all()) for each in (loss, *gradients) if each is not None)


@pytest.mark.parametrize("name", CASES)
def test_the_boundary_is_where_the_discriminators_loss_is_even(name: str) -> None:
    case = CASES[name]
    assert case.variant.boundary == case.boundary
    if case.boundary is not None and "smoothed" not in name:  # at the boundary, real and fake pull equally hard
        logit = torch.tensor([[case.boundary]], dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(case.variant.d_loss([logit], [logit]), logit)
        assert gradient.item() == pytest.approx(0, abs=1e-10)


def test_the_minimax_loss_dies_where_the_discriminator_is_sure_and_the_other_does_not() -> None:
    fake = torch.full((1, 1), -20.0, requires_grad=True)
    slope = lambda variant: torch.autograd.grad(variant.g_loss([fake], None), fake)[0].item()  # noqa: E731
    assert abs(slope(Vanilla(saturating=True))) < 1e-8
    assert slope(Vanilla()) == pytest.approx(-1)


def test_pairs_are_of_one_place_in_the_batch() -> None:
    real, fake = torch.tensor([[3.0], [0.0]]), torch.tensor([[1.0], [-5.0]])
    by_hand = (np.log1p(np.exp(1.0 - 3.0)) + np.log1p(np.exp(-5.0 - 0.0))) / 2
    assert RpGAN().d_loss([real], [fake]).item() == pytest.approx(by_hand, rel=1e-6)
    assert RpGAN().d_loss([real], [fake.flip(0)]).item() != pytest.approx(by_hand, rel=1e-2)
    with pytest.raises(ValueError, match="logits of the real images"):
        RpGAN().g_loss([fake], None)


def test_clipping_holds_every_trained_weight_and_no_buffer() -> None:
    linear, norm = nn.Linear(2, 2), nn.BatchNorm1d(2)
    network = nn.Sequential(linear, norm)
    nn.init.constant_(linear.weight, 3.0)
    nn.init.constant_(linear.bias, -3.0)
    WGAN(clip=0.02).finish_step(network)
    assert torch.equal(linear.weight, torch.full((2, 2), 0.02))
    assert torch.equal(linear.bias, torch.full((2,), -0.02))
    assert norm.running_var is not None and torch.equal(norm.running_var, torch.ones(2))
    nn.init.constant_(linear.weight, 3.0)
    WGAN(clip=None).finish_step(network)
    assert torch.equal(linear.weight, torch.full((2, 2), 3.0))


def test_a_training_step_leaves_every_weight_of_the_critic_clipped_and_the_generators_alone() -> None:
    model = assemble(algorithm_class("SRGAN"), lambda: WGAN(clip=0.003, d_steps=1))
    model.train_step(batch_for(model, seed=0), optimizers_for(model))
    largest = lambda name: max(p.abs().max().item() for p in getattr(model, name).parameters())  # noqa: E731
    assert largest("discriminator") == pytest.approx(0.003) and largest("generator") > 0.01


@pytest.mark.parametrize("name", CASES)
def test_spectral_norm_has_the_losses_boundary_and_rhythm_of_its_base(name: str) -> None:
    base = CASES[name].variant
    wrapped = SpectralNorm(base=base)
    own = (wrapped.d_steps, wrapped.needs_real, wrapped.boundary)
    assert own == (base.d_steps, base.needs_real, base.boundary)
    r, f = [torch.tensor([[0.3], [-1.2]])], [torch.tensor([[0.8], [2.0]])]
    assert torch.equal(wrapped.d_loss(r, f), base.d_loss(r, f))
    assert torch.equal(wrapped.g_loss(f, r), base.g_loss(f, r))


def test_a_critic_steps_five_times_for_each_step_of_the_generator() -> None:
    assert (WGAN().d_steps, WGANGP().d_steps, WGAN(d_steps=2).d_steps, Hinge().d_steps) == (5, 5, 2, 1)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Vanilla(label_smoothing=0.5), "label_smoothing must be from 0 to below 0.5, got 0.5"),
        (lambda: LSGAN(label_smoothing=-0.1), "label_smoothing must be from 0 to below 0.5, got -0.1"),
        (lambda: WGAN(clip=0.0), "clip must be above 0, or null for none, got 0.0"),
        (lambda: WGAN(clip=float("nan")), "clip must be above 0, or null for none, got nan"),
        (lambda: WGAN(d_steps=0), "d_steps must be at least 1, got 0"),
        (lambda: WGANGP(weight=0.0), "weight must be above 0 and finite, got 0.0"),
        (lambda: DRAGAN(image_span=0.0), "image_span must be above 0 and finite, got 0.0"),
    ],
)
def test_wrong_settings_are_refused_with_the_value(build: Callable[[], GanVariant], message: str) -> None:
    with pytest.raises(UserError) as caught:
        build()
    assert str(caught.value).startswith(message)


def test_they_print_like_their_config() -> None:
    assert repr(Vanilla()) == "Vanilla()"
    assert repr(Vanilla(saturating=True, label_smoothing=0.1)) == "Vanilla(saturating=True, label_smoothing=0.1)"
    assert repr(LSGAN(label_smoothing=0.1)) == "LSGAN(label_smoothing=0.1)"
    assert repr(WGANGP()) == "WGANGP(weight=10, d_steps=5)"

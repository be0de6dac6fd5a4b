"""The relativistic average objective against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from matrix import algorithm_class
from toolbox.contracts.gan_variant import GanVariant
from toolbox.io.errors import UserError
from toolbox.testing import assemble, batch_for
from toolbox_plugins.gan_variants.ragan import RaGAN
from toolbox_plugins.gan_variants.rpgan import RpGAN
from toolbox_plugins.gan_variants.spectral_norm import SpectralNorm

REAL, FAKE = [torch.tensor([[2.0], [0.0]])], [torch.tensor([[1.0], [-1.0]])]  # means 1 and 0


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def test_both_players_compare_with_the_mean_of_the_others_logits() -> None:
    d = ((softplus(-2) + softplus(0)) / 2 + (softplus(0) + softplus(-2)) / 2) / 2  # r - 0 is high, f - 1 is low
    g = ((softplus(2) + softplus(0)) / 2 + (softplus(0) + softplus(2)) / 2) / 2
    assert float(RaGAN().d_loss(REAL, FAKE)) == pytest.approx(d)
    assert float(RaGAN().g_loss(FAKE, REAL)) == pytest.approx(g)


def test_least_squares_are_ralsgans() -> None:
    d = ((1 + 1) / 2 + (1 + 1) / 2) / 2  # (r - 0 - 1)^2 and (f - 1 + 1)^2
    g = ((1 + 9) / 2 + (9 + 1) / 2) / 2  # (f - 1 - 1)^2 and (r - 0 + 1)^2
    assert float(RaGAN(objective="ls").d_loss(REAL, FAKE)) == pytest.approx(d)
    assert float(RaGAN(objective="ls").g_loss(FAKE, REAL)) == pytest.approx(g)


def test_it_is_cross_entropy_with_means_over_batch_and_positions_of_each_scale() -> None:
    real, fake = ([torch.randn(2, 1, 4, 4), torch.randn(2, 1, 2, 2)] for _ in range(2))
    pairs = list(zip(real, fake, strict=True))
    d = [bce(r - f.mean(), torch.ones_like(r)) / 2 + bce(f - r.mean(), torch.zeros_like(f)) / 2 for r, f in pairs]
    g = [bce(r - f.mean(), torch.zeros_like(r)) / 2 + bce(f - r.mean(), torch.ones_like(f)) / 2 for r, f in pairs]
    torch.testing.assert_close(RaGAN().d_loss(real, fake), sum(d))
    torch.testing.assert_close(RaGAN().g_loss(fake, real), sum(g))


def test_the_generators_term_gives_the_real_logits_no_gradient_and_the_discriminators_gives_both() -> None:
    real, fake = torch.randn(3, 1, requires_grad=True), torch.randn(3, 1, requires_grad=True)
    RaGAN().g_loss([fake], [real]).backward()
    assert real.grad is None and fake.grad is not None and bool((fake.grad < 0).all())
    fake.grad = None
    RaGAN().d_loss([real], [fake]).backward()
    assert real.grad is not None and bool((real.grad < 0).all()) and bool((fake.grad > 0).all())


def test_the_gradient_of_the_generators_term_is_that_of_the_formula() -> None:
    real, fake = torch.randn(4, dtype=torch.float64), torch.randn(4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: RaGAN().g_loss([f], [real]), fake)
    assert torch.autograd.gradcheck(lambda f: RaGAN(objective="ls").g_loss([f], [real]), fake)


def test_it_asks_for_the_real_logits_and_refuses_another_objective() -> None:
    assert RaGAN.needs_real
    with pytest.raises(ValueError, match="logits of the real images"):
        RaGAN().g_loss(FAKE, None)
    with pytest.raises(UserError, match="objective must be bce or ls, got 'hinge'"):
        RaGAN(objective="hinge")
    assert repr(RaGAN()) == "RaGAN(objective='bce')"


@pytest.mark.parametrize("variant", [RaGAN, RpGAN])
def test_the_generators_step_goes_back_through_the_fakes_alone_and_means_the_same(variant: type[GanVariant]) -> None:
    model = assemble(algorithm_class("SRGAN"), variant)
    values = model.data_preprocessor(batch_for(model), True)
    model.translate(values)
    real, fake = values["hr"], values["sr"].detach().requires_grad_()
    seen: list[tuple[int, bool]] = []
    note = lambda _, given, made: seen.append((len(made[0]), made[0].requires_grad))  # noqa: E731
    handle = model.discriminator.register_forward_hook(note)
    found = torch.autograd.grad(model.adversarial("discriminator", real, fake)[0], fake)[0]
    handle.remove()
    assert seen == [(2, False), (2, True)]
    real_logits, fake_logits = (heads["adversarial"] for heads in model.judge("discriminator", real=real, fake=fake))
    wanted = torch.autograd.grad(model.variants["discriminator"].g_loss(fake_logits, real_logits), fake)[0]
    assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-7)


def test_a_discriminator_whose_vectors_move_with_each_call_is_called_once() -> None:
    model = assemble(algorithm_class("SRGAN"), lambda: SpectralNorm(base=RaGAN()))
    calls: list[int] = []
    model.discriminator.register_forward_hook(lambda _, given, made: calls.append(len(made[0])))
    real, fake = torch.rand(2, 2, 3, 32, 32)
    model.adversarial("discriminator", real, fake)
    assert calls == [4]

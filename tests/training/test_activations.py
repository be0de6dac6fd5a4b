"""Inner activations by name, of any network, and what is built on them: feature matching, judging first."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from matrix import VARIANTS, algorithm_class
from toolbox.io.errors import UserError
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.testing.networks import Distance, TinyDiscriminator
from toolbox.training.activations import activations, called_convolutions, judged_activations
from toolbox.training.parts import WeightedLoss


class Chain(nn.Module):
    """Three convolutions; the last counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        second = self.two(torch.relu(self.one(images)))
        self.calls += 1
        return self.three(second)


def test_activations_are_the_outputs_of_modules_and_the_rest_is_not_computed() -> None:
    network, images = Chain(), torch.rand(2, 3, 8, 8)
    two, one = activations(network, images, ["two", "one"])
    assert torch.equal(one, network.one(images))
    assert torch.equal(two, network.two(torch.relu(one)))
    assert network.calls == 0
    assert not any(module._forward_hooks for module in network.modules()), "hooks are left behind"
    two.sum().backward()
    assert network.one.weight.grad is not None and network.three.weight.grad is None


def test_a_module_that_does_not_exist_or_is_not_called_is_named() -> None:
    network = Chain()
    with pytest.raises(UserError, match="Chain has no module 'tow'; did you mean 'two'"):
        activations(network, torch.rand(1, 3, 8, 8), ["tow"])
    network.spare = nn.Conv2d(3, 3, 1)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(UserError, match="does not call its module 'spare'"):
        activations(network, torch.rand(1, 3, 8, 8), ["one", "spare"])


def test_convolutions_are_listed_in_the_order_of_their_calls() -> None:
    assert list(called_convolutions(Chain(), torch.rand(1, 3, 8, 8))) == ["one", "two", "three"]


def test_a_discriminators_logits_are_no_activations_and_the_real_ones_carry_no_gradient() -> None:
    fake, real = torch.rand(2, 3, 16, 16, requires_grad=True), torch.rand(2, 3, 16, 16)
    fakes, reals = judged_activations(TinyDiscriminator(), fake, real)
    assert len(fakes) == len(reals) == 1 and fakes[0].shape == (2, 8, 4, 4)
    assert fakes[0].requires_grad and not reals[0].requires_grad


def test_feature_matching_pulls_the_fakes_activations_to_the_real_ones() -> None:
    model = assemble(algorithm_class("CycleGAN"), VARIANTS["LSGAN"], losses=False)
    matching = WeightedLoss("matching", Distance(), 2.0)
    model.parts = replace(model.parts, losses={"feature_matching": [matching]})
    model.losses["feature_matching"] = nn.ModuleList([matching.module])
    values = model.data_preprocessor(batch_for(model), True)
    model.translate(values)
    logs: dict[str, Tensor] = {}
    model.generators_loss(values, logs).backward()
    distances = [
        Distance()(*judged_activations(getattr(model, slot), values[fake], values[real]))
        for slot, (real, fake) in model.judged.items()
    ]
    expected = torch.stack(distances).sum()
    assert logs["g/feature_matching"] == pytest.approx(2.0 * float(expected.detach()), rel=1e-5)
    judges = [p for slot in model.judged for p in getattr(model, slot).parameters()]
    assert all(p.grad is None and p.requires_grad for p in judges)


def test_discriminators_that_step_first_are_judged_by_after_their_step() -> None:
    """The generators' term is then that of the updated discriminator, on the same fakes."""
    found = {}
    for first in (False, True):
        model = assemble(algorithm_class("CycleGAN"), VARIANTS["LSGAN"])
        model.parts = replace(model.parts, discriminator_first=first)
        before = assemble(algorithm_class("CycleGAN"), VARIANTS["LSGAN"])
        logs = model.train_step(batch_for(model), optimizers_for(model, lr=0.05, sgd=True))
        values = before.data_preprocessor(batch_for(before), True)
        before.translate(values)
        if first:
            before.discriminator_b.load_state_dict(model.discriminator_b.state_dict())  # pyright: ignore
        expected, _ = before.adversarial("discriminator_b", values["real_b"], values["fake_b"])
        assert logs["g/adversarial_b"] == pytest.approx(float(expected.detach()), rel=1e-5)
        found[first] = float(expected.detach())
    assert found[False] != found[True]

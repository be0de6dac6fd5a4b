"""A feature network sees each tensor once for all losses of an iteration, and nothing is kept afterwards."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from copy import deepcopy

import pytest
import torch
from torch import Tensor

from matrix import algorithm_class
from toolbox.contracts.network import FeatureNetwork
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.testing.objective import LeastSquares
from toolbox.training.algorithm import Algorithm
from toolbox.training.feature_passes import one_pass_each, share_passes
from toolbox.training.parts import WeightedLoss
from toolbox.training.precision import at_precision, networks_in
from toolbox_plugins.losses.perceptual import PerceptualLoss


class Chain(FeatureNetwork):
    """Three frozen convolutions; notes what it was asked for and what it gave."""

    layers = ("one", "two", "three")

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        for name in self.layers:
            layer = torch.nn.Conv2d(3, 3, 3, padding=1, bias=False)
            layer.weight.data.normal_(0, 0.3, generator=rng)
            self.add_module(name, layer.requires_grad_(False))
        self.asked: list[list[str]] = []
        self.given: list[weakref.ref[Tensor]] = []

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        self.asked.append(list(layers))
        found = {}
        for name in self.layers[: 1 + max(self.layers.index(layer) for layer in layers)]:
            images = found[name] = torch.relu(self.get_submodule(name)(images))
            self.given.append(weakref.ref(images))
        return {layer: found[layer] for layer in layers}


@pytest.fixture
def network() -> Chain:
    chain = Chain()
    share_passes(at_precision(chain))
    return chain


def images(seed: int = 0) -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def model_of(*losses: PerceptualLoss) -> Algorithm:
    """SRGAN whose `pixel` role holds these losses."""
    model = assemble(algorithm_class("SRGAN"), LeastSquares, losses=False)
    model.parts.losses["pixel"] = [WeightedLoss("PerceptualLoss", loss) for loss in losses]
    model.losses["pixel"] = torch.nn.ModuleList(losses)
    return model


def test_two_losses_of_other_layers_make_one_pass_over_the_fakes_and_one_over_the_target(network) -> None:
    losses = [PerceptualLoss(features=network, layers={layer: 1.0}) for layer in ("one", "three")]
    model = model_of(*losses)
    model.train_step(batch_for(model), optimizers_for(model))
    assert network.asked == [["one", "three"]] * 2


def test_losses_have_the_values_of_passes_of_their_own_bit_for_bit_and_gradients_up_to_rounding(network) -> None:
    logs, weights = [], []
    for features in ([network, network], [Chain(), Chain()]):
        losses = [PerceptualLoss(features=f, layers={n: 1.0}) for f, n in zip(features, ("one", "three"), strict=True)]
        model = model_of(*losses)
        logs.append(model.train_step(batch_for(model), optimizers_for(model, sgd=True)))
        weights.append(torch.cat([p.detach().flatten() for p in model.generator.parameters()]))
    assert all(torch.equal(logs[0][name], value) for name, value in logs[1].items())
    assert torch.allclose(*weights, rtol=0, atol=1e-7)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_no_activation_outlives_its_iteration(network, accumulation) -> None:
    losses = [PerceptualLoss(features=network, layers={layer: 1.0}) for layer in ("one", "three")]
    model = model_of(*losses)
    optimizers = optimizers_for(model, accumulation=accumulation)
    for step in range(4):
        model.train_step(batch_for(model, seed=step), optimizers)
    gc.collect()
    assert len(network.given) == 4 * 6 and not any(each() is not None for each in network.given)


def test_a_tensor_that_was_changed_is_seen_again(network) -> None:
    seen = images()
    with one_pass_each():
        first = network(seen, layers=["one"])["one"]
        assert network(seen, layers=["one"])["one"] is first and len(network.asked) == 1
        seen.mul_(0.5)
        assert torch.allclose(network(seen, layers=["one"])["one"], first / 2)
    network(seen, layers=["one"])
    network(seen, layers=["one"])
    assert len(network.asked) == 4, "outside of an iteration every call is a pass"


def test_who_wants_no_gradient_takes_what_there_is_and_who_wants_one_never_goes_without(network) -> None:
    fake = images().requires_grad_()
    with one_pass_each():
        with torch.no_grad():
            assert not network(fake, layers=["one"])["one"].requires_grad
        found = network(fake, layers=["one"])["one"]
        assert found.requires_grad and len(network.asked) == 2
        with torch.no_grad():
            network(fake, layers=["one"])
    with one_pass_each():
        network(fake, layers=["one"])
        with torch.no_grad():
            assert not network(fake, layers=["one"])["one"].requires_grad
    assert len(network.asked) == 3


def test_layers_are_announced_for_one_tensor_and_cost_no_other_anything(network) -> None:
    fake, target = images(0), images(1)
    with one_pass_each([(network, fake, ["one"]), (network, fake, ["three"]), (network, target, ["one"])]):
        network(fake, layers=["one"])
        network(target, layers=["one"])
        network(fake, layers=["two"])
    assert network.asked == [["one", "three"], ["one"], ["two", "one", "three"]]


def test_a_pass_is_of_one_precision_and_gives_float32(network) -> None:
    seen = images()
    with one_pass_each(), networks_in(torch.bfloat16):
        rough = network(seen, layers=["three"])["three"]
        with networks_in(None):
            exact = network(seen, layers=["three"])["three"]
    assert rough.dtype == exact.dtype == torch.float32 and len(network.asked) == 2
    assert torch.equal(exact, network(seen, layers=["three"])["three"])
    assert not torch.equal(rough, exact) and torch.allclose(rough, exact, atol=0.02)


def test_a_loss_without_amp_has_float32_features_whatever_the_run(network) -> None:
    prediction, target = images(0), images(1)
    exact = PerceptualLoss(features=network, layers={"three": 1.0})(prediction, target)
    with networks_in(torch.bfloat16):
        rough = PerceptualLoss(features=network, layers={"three": 1.0})(prediction, target)
        same = PerceptualLoss(features=network, layers={"three": 1.0}, amp=False)(prediction, target)
    assert torch.equal(same, exact) and not torch.equal(rough, exact)


def test_a_copy_of_a_shared_network_is_a_network_of_its_own(network) -> None:
    copy = deepcopy(network)
    copy.get_submodule("one").weight.data.zero_()
    with one_pass_each():
        assert network(images(), layers=["one"])["one"].any()
        assert not copy(images(), layers=["one"])["one"].any()
    assert len(network.asked) == len(copy.asked) == 1

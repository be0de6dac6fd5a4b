"""A run's precision is entered where a network is called, and left behind it."""

from __future__ import annotations

import inspect
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from matrix import VARIANTS, algorithm_class
from toolbox.engine.optimizers import GuardedOptimWrapper
from toolbox.plugins.registry import registry
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.testing.networks import TinyGenerator
from toolbox.training.precision import at_precision, networks_in

JOINT = {"jpeg_quality": [30, 90]}


class Seen(nn.Module):
    """A convolution that remembers the type it computed in."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.types = nn.Conv2d(3, 3, 1), []

    def forward(self, images: Tensor, *, more: float = 0.0) -> dict[str, Any]:
        made = self.layer(images + more)
        self.types.append(made.dtype)
        return {"made": made, "scales": [made, made.double()]}


def test_a_network_computes_in_the_types_of_the_context_and_gives_float32() -> None:
    network, images = at_precision(Seen()), torch.rand(1, 3, 4, 4)
    for dtype in (None, torch.bfloat16):
        with networks_in(dtype):
            made: Any = network(images, more=0.5)
            assert (images @ images).dtype == torch.float32, "what stands between the networks stays as it is"
        assert made["made"].dtype == torch.float32
        assert [each.dtype for each in made["scales"]] == [torch.float32, torch.float64]
    with networks_in(torch.bfloat16), networks_in(None):
        network(images)
    assert network.types == [torch.float32, torch.bfloat16, torch.float32]  # pyright: ignore


def test_a_network_without_half_stays_in_float32() -> None:
    network = Seen()
    network.supports_half = False  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
    with networks_in(torch.bfloat16):
        at_precision(network)(torch.rand(1, 3, 4, 4))
    assert network.types == [torch.float32]


def test_copies_call_their_own_layers_and_signatures_stay() -> None:
    network = at_precision(Seen())
    forward, copied = network.forward, deepcopy(network)
    assert at_precision(network).forward is forward
    nn.init.zeros_(copied.layer.weight)  # pyright: ignore
    assert not torch.equal(copied(torch.ones(1, 3, 2, 2))["made"], network(torch.ones(1, 3, 2, 2))["made"])
    assert list(inspect.signature(network.forward).parameters) == ["images", "more"]


def half(algorithm: Any) -> Any:
    """Optimizers of a run in bfloat16."""
    from mmengine.optim import OptimWrapperDict

    plain = optimizers_for(algorithm, sgd=True)
    return OptimWrapperDict(
        **{
            name: GuardedOptimWrapper(optimizer=plain[name].optimizer, precision=torch.bfloat16)
            for name in plain.keys()  # noqa: SIM118 (mmengine's dict iterates over nothing)
        }
    )


@pytest.mark.parametrize("name", registry("algorithms").names())
def test_every_algorithms_values_and_terms_are_float32_in_a_run_of_bfloat16(name: str) -> None:
    algorithm = assemble(algorithm_class(name), VARIANTS["LSGAN"], ema=0.9)
    seen: list[torch.dtype] = []
    terms = algorithm.generator_terms

    def watched(values: Any) -> Any:
        tensors = [each for each in values.values() if isinstance(each, Tensor) and each.is_floating_point()]
        found = list(terms(values))
        seen.extend(each.dtype for each in (*tensors, *(term for _, term in found)))
        return iter(found)

    algorithm.generator_terms = watched  # pyright: ignore[reportAttributeAccessIssue]
    algorithm.train_step(batch_for(algorithm), half(algorithm))
    assert seen and set(seen) == {torch.float32}


def test_the_joint_networks_jpeg_is_that_of_float32_in_a_run_of_bfloat16() -> None:
    """Its rounding would be wrong by tens of levels where the cosine transform runs in bfloat16."""
    algorithm: Any = assemble(algorithm_class("StyleSuperResolution"), VARIANTS["LSGAN"], **JOINT)
    images = torch.rand(2, 3, 32, 32)
    found = []
    for dtype in (None, torch.bfloat16):
        torch.manual_seed(3)
        with networks_in(dtype):
            found.append(algorithm.destroy(images))
    assert torch.equal(*found)


def gradients_of_the_way_back(precise: bool) -> Tensor:
    """What `generator_ba` is stepped by in the first iteration."""
    torch.manual_seed(0)
    algorithm: Any = assemble(algorithm_class("StyleSuperResolution"), VARIANTS["LSGAN"], **JOINT)
    optimizers = optimizers_for(algorithm, sgd=True) if precise else half(algorithm)
    found: list[Tensor] = []
    optimizers["generator"].optimizer.register_step_pre_hook(
        lambda *_: found.extend(p.grad.flatten().clone() for p in algorithm.generator_ba.parameters())
    )
    torch.manual_seed(1)
    algorithm.train_step(batch_for(algorithm, count=4, size=64), optimizers)
    return torch.cat(found)


def test_gradients_of_the_way_back_point_where_those_of_float32_do() -> None:
    assert torch.cosine_similarity(*map(gradients_of_the_way_back, (True, False)), dim=0) > 0.99


def test_strength_between_meets_one_type_in_bfloat16() -> None:
    """`lerp` takes no two types; the larger joint network's role `strength` crashed on that."""
    network = registry("generators").get("StyleRRDBNet")(
        width=8, growth=4, blocks=1, style_width=8, style_blocks=1, scale=2
    )
    algorithm = assemble(algorithm_class("StyleSuperResolution"), VARIANTS["LSGAN"], networks={"generator_ab": network})
    logs = algorithm.train_step(batch_for(algorithm), half(algorithm))
    assert torch.isfinite(logs["g/strength"])


def test_prediction_may_run_in_bfloat16_too() -> None:
    algorithm = assemble(algorithm_class("CycleGAN"), VARIANTS["LSGAN"], generator=lambda scale: TinyGenerator())
    images = torch.rand(1, 3, 16, 16)
    with networks_in(torch.bfloat16):
        rounded = algorithm.predict(images)
    precise = algorithm.predict(images)
    assert rounded.dtype == torch.float32 and not torch.equal(rounded, precise)
    assert torch.allclose(rounded, precise, atol=0.02)

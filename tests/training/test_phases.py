"""Phases change rates, freeze parts, and give everything back."""

from __future__ import annotations

import pytest
import torch

from toolbox.plugins.registry import registry
from toolbox.testing.objective import LeastSquares
from toolbox.testing.training import assemble, batch_for, optimizers_for
from toolbox.training.parts import Phase


def cyclegan(*phases: Phase):
    algorithm = assemble(registry("algorithms").get("CycleGAN"), LeastSquares)
    object.__setattr__(algorithm.parts, "phases", [*phases])
    return algorithm, optimizers_for(algorithm)


def moved(algorithm, optimizers, steps: int = 1) -> set[str]:
    before = {name: p.detach().clone() for name, p in algorithm.named_parameters()}
    for _ in range(steps):
        algorithm.train_step(batch_for(algorithm), optimizers)
    return {name for name, p in algorithm.named_parameters() if not torch.equal(p, before[name])}


def test_a_frozen_part_stands_still_in_its_phase_alone_and_even_with_momentum():
    algorithm, optimizers = cyclegan(
        Phase("free", until=1), Phase("still", until=3, frozen=["generator_ba", "generator_ab.first"]), Phase("again")
    )
    assert any(name.startswith("generator_ba") for name in moved(algorithm, optimizers))
    later = moved(algorithm, optimizers, 2)
    assert not any(name.startswith(("generator_ba", "generator_ab.first")) for name in later)
    assert {"generator_ab.last.weight", "discriminator_a.first.weight"} <= later
    assert "generator_ba.first.weight" in moved(algorithm, optimizers)


def test_rates_multiply_an_update_and_the_schedule_gets_its_own_back():
    weights = {}
    for factor in (1.0, 0.5, 0.0):
        algorithm, optimizers = cyclegan(Phase("only", rates={"generator": factor}))
        for _, wrapper in optimizers.items():
            wrapper.optimizer = torch.optim.SGD(wrapper.optimizer.param_groups[0]["params"], lr=1e-3)
        start = algorithm.generator_ab.last.weight.detach().clone()
        algorithm.train_step(batch_for(algorithm), optimizers)
        weights[factor] = algorithm.generator_ab.last.weight.detach() - start
        assert optimizers["generator"].optimizer.param_groups[0]["lr"] == 1e-3
    assert torch.allclose(weights[0.5], weights[1.0] / 2, atol=1e-7)
    assert weights[1.0].abs().max() > 0 == weights[0.0].abs().max()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"rates": {"generators": 1.0}}, "rates"),
        ({"rates": {"generator": -1.0}}, "wants a factor of 0 or more"),
        ({"frozen": ["generator"]}, "network of the model"),
        ({"frozen": ["generator_ab.nothing"]}, "is no part of the network"),
        ({"frozen": "generator_ab"}, "frozen"),
    ],
)
def test_a_phase_with_a_mistake_is_refused_by_its_key(setting, message):
    from toolbox.assembly.build import build_algorithm
    from toolbox.assembly.check import check
    from toolbox.config import load_config
    from toolbox.io.errors import ConfigError

    config = load_config("configs/style/cyclegan.yaml", {"model.phases": [{"name": "one", **setting}]})
    with pytest.raises(ConfigError, match=message):
        check(config)
        build_algorithm(config.data["model"])

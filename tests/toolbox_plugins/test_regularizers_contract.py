"""What every regularizer keeps to: its contract, its rhythm, what it refuses, configs, and the training step."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from critics import EVERY, SLOPES, Linear, Quadratic, pair
from torch import nn

from matrix import algorithm_class
from toolbox.assembly.build import build_component
from toolbox.contracts.gan_variant import VariantError
from toolbox.contracts.regularizer import Regularizer
from toolbox.io.errors import UserError
from toolbox.testing import assemble, batch_for, check_regularizer, optimizers_for
from toolbox_plugins.gan_variants.dragan import DRAGAN
from toolbox_plugins.gan_variants.wgan_gp import WGANGP
from toolbox_plugins.regularizers.consistency import ConsistencyRegularization
from toolbox_plugins.regularizers.slope import R1, R2, Slope


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


# ---------------------------------------------------------------------- what the base owns


@pytest.mark.parametrize("regularizer", EVERY)
def test_each_keeps_to_the_contract(regularizer: type[Regularizer]) -> None:
    check_regularizer(regularizer())


def test_published_weights_are_the_defaults() -> None:
    assert [each().weight for each in EVERY] == [10.0, 10.0, 1.0, 1.0, 10.0]
    assert [each().every for each in EVERY] == [1] * 5


def test_lazily_it_counts_in_each_nth_step_n_times_and_calls_nothing_in_the_others() -> None:
    critic, images = Quadratic(), pair()
    eager, lazy = R1(), R1()
    eager.configure(weight=0.5)
    lazy.configure(weight=0.5, every=4)
    calls, total = [], 0.0
    for _ in range(8):
        critic.seen.clear()
        term = lazy.term(critic, *images)
        calls.append(len(critic.seen))
        total += 0.0 if term is None else term.item()
        lazy.after_step()
    once = eager.term(critic, *images)
    assert once is not None and calls == [1, 0, 0, 0, 1, 0, 0, 0]
    assert total == pytest.approx(8 * once.item(), rel=1e-12)
    assert once.item() == pytest.approx(0.5 * R1()(critic, *images).item(), rel=1e-12)


def test_the_rhythm_goes_on_after_a_resume() -> None:
    before, after = R1(), R1()
    for each in (before, after):
        each.configure(every=3)
    before.after_step()
    after.load_state_dict(before.state_dict())
    turns = []
    for _ in range(4):
        turns.append(after.term(Linear(), *pair()) is not None)
        after.after_step()
    assert turns == [False, False, True, False]


@pytest.mark.parametrize("made", [R1, WGANGP, DRAGAN])
def test_who_counts_in_every_step_adds_nothing_to_checkpoints_and_wants_nothing(made: Any) -> None:
    assert not made().state_dict()
    made().load_state_dict({})
    lazy = R1()
    lazy.configure(every=2)
    with pytest.raises(RuntimeError, match=r"Missing key.*_extra_state"):
        lazy.load_state_dict({})


@pytest.mark.parametrize("penalty", SLOPES)
def test_batch_norm_is_refused_by_name(penalty: type[Slope]) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    with pytest.raises(VariantError, match=rf"{penalty.__name__} penalises.*has batch norm \(1\).*norm: none"):
        penalty().prepare(network)
    penalty().prepare(nn.Sequential(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4)))
    ConsistencyRegularization().prepare(network)


@pytest.mark.parametrize("level", ["base", "wrapper"])
def test_batch_norm_is_refused_on_either_level_of_a_wrapper(level: str) -> None:
    variant: Any = build_component("gan_variants", wrapped({level: {"regularizers": [{"type": "R1"}]}}))
    with pytest.raises(VariantError, match=r"R1 penalises.*has batch norm"):
        variant.accept(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    variant.accept(nn.Sequential(nn.Conv2d(3, 4, 3)))


# ---------------------------------------------------------------------- in configs and in training


def wrapped(lists: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A config of spectral norm over the hinge loss, with lists on the level of `base` and of the `wrapper`."""
    base = {"type": "Hinge", **lists.get("base", {})}
    return {"type": "SpectralNorm", "base": base, **lists.get("wrapper", {})}


def test_a_config_may_give_both_lists_on_both_levels_of_a_wrapper() -> None:
    color = [{"type": "DiffAugment", "policy": ["color"]}]
    inner = {"regularizers": [{"type": "R1", "weight": 2.0, "every": 2}], "augmentations": color}
    outer = {"regularizers": [{"type": "R2", "weight": 3.0}], "augmentations": [{"type": "DiffAugment"}]}
    variant: Any = build_component("gan_variants", wrapped({"base": inner, "wrapper": outer}))
    assert (len(variant.augmentations), len(variant.base.augmentations)) == (1, 1)
    judge = variant.accept(nn.Sequential(nn.Flatten(), nn.Linear(192, 1)))
    names = []
    for _ in range(3):
        names.append(set(variant.penalties(lambda x: [judge(x)], *torch.rand(2, 2, 3, 8, 8))))
        variant.finish_step(judge)
    assert names == [{"r1", "r2"}, {"r2"}, {"r1", "r2"}]


def test_augmentations_of_both_levels_observe_the_real_logits() -> None:
    lists = {"augmentations": [{"type": "ADA"}]}
    variant: Any = build_component("gan_variants", wrapped({"base": lists, "wrapper": lists}))
    before = [deepcopy(each.state_dict()) for each in (variant.augmentations[0], variant.base.augmentations[0])]
    for _ in range(64):
        variant.observe([torch.ones(8, 1)])
    for each, old in zip((variant.augmentations[0], variant.base.augmentations[0]), before, strict=True):
        assert any(not torch.equal(value, old[key]) for key, value in each.state_dict().items())


@pytest.mark.parametrize("over", [False, True])
def test_a_training_step_logs_the_weighted_value_at_the_weights_it_began_with(over: bool) -> None:
    lists = {"regularizers": [{"type": "R1", "weight": 3.0, "every": 2}]}
    config = wrapped({"base": lists}) if over else {"type": "Hinge", **lists}
    model = assemble(algorithm_class("SRGAN"), lambda: build_component("gan_variants", config))
    optimizers, values = optimizers_for(model), []
    for step in range(3):
        batch, before = batch_for(model, seed=step), deepcopy(model.discriminator)
        logs = model.train_step(batch, optimizers)
        values.append(logs.get("d/r1"))
        if step != 1:
            expected = 6 * R1()(before, batch["hr"], batch["hr"]).detach()  # weight 3, every 2
            torch.testing.assert_close(values[-1], expected, rtol=0.05 if over else 1e-5, atol=0)
    assert values[1] is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": 0.0}, "weight must be above 0 and finite, got 0.0"),
        ({"weight": float("nan")}, "weight must be above 0 and finite, got nan"),
        ({"weight": float("inf")}, "weight must be above 0 and finite, got inf"),
        ({"every": 0}, "every must be 1 or more, got 0"),
    ],
)
def test_wrong_settings_are_refused_with_the_value(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        R1().configure(**settings)
    assert str(caught.value).startswith(message)


def test_wrong_arguments_are_refused_with_the_value() -> None:
    with pytest.raises(UserError, match="image_span must be above 0 and finite, got 0"):
        R1(image_span=0.0)
    with pytest.raises(UserError, match=r"shift must be from 0 to below 0\.5, got 0\.5"):
        ConsistencyRegularization(shift=0.5)


def test_they_print_like_their_config() -> None:
    lazy = R1()
    lazy.configure(weight=2.0, every=16)
    assert repr(lazy) == "R1(weight=2, every=16)" and repr(R2()) == "R2(weight=1)"

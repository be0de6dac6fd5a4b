"""Regularizers and augmentations beside any variant: what a training step and a config do with the two lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from matrix import algorithm_class
from runs import command, sr_config, write_config
from toolbox.assembly.build import build_component
from toolbox.contracts.augmentation import Augmentation
from toolbox.contracts.gan_variant import GanVariant, Logits
from toolbox.contracts.regularizer import Judge, Regularizer
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.testing.objective import LeastSquares
from toolbox.training.algorithm import Algorithm
from toolbox_plugins.gan_variants.spectral_norm import SpectralNorm


class Slope(Regularizer):
    """The squared mean logit; keeps what it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[bool, torch.dtype]] = []

    def forward(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        logits = judge(real)
        self.calls.append((torch.is_autocast_enabled("cpu"), logits[0].dtype))
        return torch.stack([scale.mean() for scale in logits]).square().sum()


class Affine(Augmentation):
    """Times and plus; counts what it changed and observed."""

    def __init__(self, times: float, plus: float) -> None:
        super().__init__()
        self.times, self.plus = times, plus
        self.changed, self.observed = 0, 0

    def forward(self, images: Tensor) -> Tensor:
        self.changed += 1
        return images * self.times + self.plus

    def observe(self, real: Logits) -> None:
        assert not any(scale.requires_grad for scale in real)
        self.observed += 1


class Sum(nn.Module):
    """A critic whose logit is the sum of an image's values, times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images.flatten(1).sum(1, keepdim=True) * self.weight]


def with_lists(*parts: Regularizer | Augmentation) -> GanVariant:
    variant = LeastSquares()
    variant.regularizers.extend(each for each in parts if isinstance(each, Regularizer))
    variant.augmentations.extend(each for each in parts if isinstance(each, Augmentation))
    return variant


def lazy(every: int, weight: float = 1.0) -> Slope:
    made = Slope()
    made.configure(every=every, weight=weight)
    return made


def train(model: Algorithm, steps: int, **settings: Any) -> list[dict[str, Tensor]]:
    optimizers = optimizers_for(model, **settings)
    return [model.train_step(batch_for(model, seed=step), optimizers) for step in range(steps)]


def forwards(network: nn.Module) -> list[int]:
    """Grows by the batch size of every forward pass."""
    seen: list[int] = []
    network.register_forward_hook(lambda module, inputs, result: seen.append(len(inputs[0])))
    return seen


def test_each_regularizer_is_logged_under_its_discriminator_and_own_name() -> None:
    logs = train(assemble(algorithm_class("CycleGAN"), lambda: with_lists(Slope())), 1)[0]
    assert {"d_a/slope", "d_b/slope", "d_a/adversarial"} <= logs.keys()
    assert not logs["d_a/slope"].requires_grad and logs["d_a/slope"].ndim == 0


def test_two_of_one_name_add_up() -> None:
    twice, images = with_lists(lazy(1, 2.0), lazy(1, 3.0)), torch.rand(2, 3, 4, 4)
    terms = twice.penalties(Sum(), images, images)
    expected = 5 * images.sum((1, 2, 3)).mean() ** 2
    assert terms.keys() == {"slope"}
    torch.testing.assert_close(terms["slope"].detach(), expected)


def test_a_step_that_is_left_out_costs_no_forward_pass_and_logs_nothing() -> None:
    plain = assemble(algorithm_class("SRGAN"), LeastSquares)
    model = assemble(algorithm_class("SRGAN"), lambda: with_lists(lazy(3)))
    counts = []
    for each in (plain, model):
        seen = forwards(each.discriminator)  # pyright: ignore[reportArgumentType]
        counts.append([])
        optimizers = optimizers_for(each)
        for step in range(4):
            seen.clear()
            logs = each.train_step(batch_for(each, seed=step), optimizers)
            counts[-1].append(len(seen))
            assert ("d/slope" in logs) == (each is model and step in (0, 3))
    extra = [with_it - without for without, with_it in zip(*counts, strict=True)]
    assert extra == [1, 0, 0, 1]


def test_micro_batches_of_one_step_share_a_turn() -> None:
    regularizer = lazy(2)
    train(assemble(algorithm_class("SRGAN"), lambda: with_lists(regularizer)), 8, accumulation=2)
    assert len(regularizer.calls) == 4 and regularizer.steps == 4  # both micro-batches of steps 0 and 2


def test_the_term_moves_the_discriminator_and_never_the_generator() -> None:
    regularizer = lazy(1, 1e4)
    plain = assemble(algorithm_class("SRGAN"), LeastSquares)
    model = assemble(algorithm_class("SRGAN"), lambda: with_lists(regularizer))
    for each in (plain, model):
        train(each, 1, lr=1e-6, sgd=True)
    same = {
        name: torch.equal(p, dict(plain.named_parameters())[name])
        for name, p in model.named_parameters()
        if p.requires_grad
    }
    assert all(equal for name, equal in same.items() if name.startswith("generator"))
    assert not any(equal for name, equal in same.items() if name.startswith("discriminator"))


def test_it_is_called_in_float32_where_the_rest_runs_in_half() -> None:
    regularizer = Slope()
    model = assemble(algorithm_class("SRGAN"), lambda: with_lists(regularizer))
    halves: list[torch.dtype] = []
    model.discriminator.last.register_forward_hook(  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
        lambda module, inputs, result: halves.append(result.dtype)
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        train(model, 1)
    assert torch.bfloat16 in halves
    assert regularizer.calls == [(False, torch.float32)]


def test_augmentations_apply_in_order_before_the_discriminator_and_before_penalties() -> None:
    variant = with_lists(Slope(), Affine(1.0, 1.0), Affine(2.0, 0.0))
    images = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(variant.show(images), 2 * (images + 1))
    term = variant.penalties(Sum(), images, images)["slope"]
    torch.testing.assert_close(term.detach(), (2 * (images + 1)).sum((1, 2, 3)).mean() ** 2)


def test_both_players_see_augmented_images_and_real_logits_are_observed_once_a_step() -> None:
    augmentation = Affine(0.5, 0.1)
    model = assemble(algorithm_class("SRGAN"), lambda: with_lists(augmentation))
    train(model, 3)
    assert augmentation.observed == 3
    assert augmentation.changed == 3 * 3  # the fakes in the generator's step, both in the discriminator's


def test_lists_may_stand_on_either_level_of_a_wrapper() -> None:
    inner, outer = lazy(1, 2.0), lazy(1, 3.0)
    wrapped = SpectralNorm(base=with_lists(inner, Affine(1.0, 1.0)))
    wrapped.regularizers.append(outer)
    wrapped.augmentations.append(Affine(2.0, 0.0))
    images = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(wrapped.show(images), 2 * (images + 1))
    terms = wrapped.penalties(Sum(), images, images)
    torch.testing.assert_close(terms["slope"].detach(), 5 * (2 * (images + 1)).sum((1, 2, 3)).mean() ** 2)
    wrapped.finish_step(Sum())
    assert (inner.steps, outer.steps) == (1, 1)


def test_a_config_gives_any_variant_both_lists_with_weights_and_rhythms() -> None:
    variant: Any = build_component(
        "gan_variants",
        {
            "type": "Hinge",
            "regularizers": [{"type": "R1", "weight": 2.0, "every": 16, "per_patch": False}, {"type": "R2"}],
            "augmentations": [{"type": "DiffAugment", "policy": ["cutout"]}],
        },
    )
    r1, r2 = variant.regularizers
    assert (r1.weight, r1.every, r1.per_patch) == (2.0, 16, False) and (r2.weight, r2.every) == (1.0, 1)
    assert repr(variant).startswith("Hinge(R1(weight=2, every=16), R2(weight=1), DiffAugment")


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"regularizer": [{"type": "R1"}]}, "variant.regularizer: Hinge has no such argument; did you mean 'regul"),
        ({"regularizers": {"type": "R1"}}, "variant.regularizers: wants a list, each a mapping, got {'type': 'R1'}"),
        ({"regularizers": ["R1"]}, "variant.regularizers.0: wants a mapping, got 'R1'"),
        ({"regularizers": [{"weight": 1.0}]}, "variant.regularizers.0: wants a component, {type: Name, …}, got"),
        ({"regularizers": [{"type": "R11"}]}, "regularizers.0.type: no regularizer is called 'R11'; did you mean 'R1'"),
        (
            {"regularizers": [{"type": "R1", "evry": 4}]},
            "regularizers.0.evry: R1 has no such argument; did you mean 'e",
        ),
        ({"regularizers": [{"type": "R1", "every": 1.5}]}, "variant.regularizers.0.every: wants an int, got 1.5"),
        ({"regularizers": [{"type": "R1", "every": 0}]}, "variant.regularizers.0: R1: every must be 1 or more, got 0"),
        ({"regularizers": [{"type": "R1", "weight": -1.0}]}, "regularizers.0: R1: weight must be above 0 and finite"),
        (
            {"augmentations": [{"type": "DifAugment"}]},
            "augmentations.0.type: no augmentation is called 'DifAugment'; d",
        ),
    ],
)
def test_a_mistake_in_a_list_is_refused_with_its_place(
    variant: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = sr_config(tmp_path, variant={"type": "Hinge", **variant})
    assert command("train", write_config(config, tmp_path / "run.yaml"), "--dry-run") == 2
    assert message in capsys.readouterr().err.splitlines()[-1]

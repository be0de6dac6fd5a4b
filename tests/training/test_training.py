"""GAN correctness, for every algorithm with every variant."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from matrix import CELLS, VARIANTS, algorithm_class
from toolbox.contracts.network import unwrapped
from toolbox.testing import assemble, batch_for, check_training, optimizers_for
from toolbox.training.algorithm import Algorithm
from toolbox_plugins.gan_variants.lsgan import LSGAN
from toolbox_plugins.gan_variants.wgan_gp import WGANGP
from toolbox_plugins.regularizers.slope import R1

cells = pytest.mark.parametrize(("algorithm", "variant"), CELLS)


def cycle_of(algorithm: Algorithm) -> int:
    return max(int(variant.d_steps) for variant in algorithm.variants.values())


def gradients(algorithm: Algorithm, slots: Any) -> list[Tensor | None]:
    return [p.grad for slot in slots for p in getattr(algorithm, slot).parameters()]


@cells
def test_a_cycle_of_steps_trains_every_network_and_translates_once_each(algorithm: str, variant: str) -> None:
    check_training(assemble(algorithm_class(algorithm), VARIANTS[variant], pool=3, ema=0.9))


@cells
def test_the_adversarial_gradient_reaches_the_generators_and_not_the_discriminators(
    algorithm: str, variant: str
) -> None:
    model = assemble(algorithm_class(algorithm), VARIANTS[variant], losses=False)
    values = model.data_preprocessor(batch_for(model), True)
    model.translate(values)
    model.generators_loss(values, {}).backward()
    for slot in model.judged:
        assert all(p.requires_grad for p in getattr(model, slot).parameters()), "the discriminator stays frozen"
    assert all(grad is None for grad in gradients(model, model.judged))
    found = [grad for grad in gradients(model, model.generators) if grad is not None]
    assert found and max(float(grad.abs().max()) for grad in found) > 0


@cells
def test_the_discriminators_loss_gives_the_generators_no_gradient(algorithm: str, variant: str) -> None:
    model = assemble(algorithm_class(algorithm), VARIANTS[variant])
    values = model.data_preprocessor(batch_for(model), True)
    model.translate(values)
    torch.stack([model.discriminator_loss(slot, values, {}) for slot in model.judged]).sum().backward()
    assert all(grad is None for grad in gradients(model, model.generators))
    assert all(grad is not None for grad in gradients(model, model.judged))


@pytest.mark.parametrize(("algorithm", "variant"), [cell for cell in CELLS if cell[1].startswith("SpectralNorm")])
def test_spectral_norm_vectors_move_and_the_weights_stay_normalised(algorithm: str, variant: str) -> None:
    model = assemble(algorithm_class(algorithm), VARIANTS[variant])
    network = getattr(model, next(iter(model.judged)))
    before = {name: value.clone() for name, value in network.named_buffers()}
    assert before, "no layer was normalised"
    optimizers = optimizers_for(model)
    for step in range(30):
        model.train_step(batch_for(model, seed=step), optimizers)
    assert all(not torch.equal(value, before[name]) for name, value in network.named_buffers() if value.numel() > 1)
    assert float(torch.linalg.matrix_norm(network.first.weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.05)


@cells
def test_equal_seeds_give_equal_weights(algorithm: str, variant: str) -> None:
    finals = []
    for _ in range(2):
        model = assemble(algorithm_class(algorithm), VARIANTS[variant], pool=2)
        optimizers = optimizers_for(model)
        for step in range(cycle_of(model)):
            model.train_step(batch_for(model, seed=step), optimizers)
        finals.append(torch.cat([p.detach().flatten() for p in unwrapped(model).parameters()]))
    assert torch.equal(*finals)


def test_a_discriminator_of_five_steps_meets_one_generator_step() -> None:
    model = assemble(algorithm_class("SRGAN"), WGANGP)
    optimizers = optimizers_for(model)
    moved = []
    for step in range(10):
        before = model.generator.first.weight.clone()
        logs = model.train_step(batch_for(model, seed=step), optimizers)
        moved.append(not torch.equal(before, model.generator.first.weight))
        assert "d/adversarial" in logs and ("g/pixel" in logs) == moved[-1]
    assert moved == [False] * 4 + [True] + [False] * 4 + [True]


def test_accumulation_keeps_the_micro_batches_of_a_generator_update_together() -> None:
    model = assemble(algorithm_class("SRGAN"), WGANGP)
    turns = []
    for model.iteration in range(20):
        turns.append(model.turn(2)[0])
    assert turns == ([False] * 8 + [True] * 2) * 2


def test_phases_decide_which_losses_and_discriminators_count() -> None:
    from dataclasses import replace

    from toolbox.training.parts import Phase

    model = assemble(algorithm_class("SRGAN"), VARIANTS["LSGAN"])
    phases = [Phase("pixels", until=2, losses=["pixel"], adversaries=[]), Phase("all")]
    model.parts = replace(model.parts, phases=phases)
    optimizers = optimizers_for(model)
    logs = [set(model.train_step(batch_for(model), optimizers)) for _ in range(3)]
    assert logs[0] == logs[1] == {"g/pixel"}
    assert {"g/pixel", "g/perceptual", "g/adversarial", "d/adversarial"} <= logs[2]


def test_the_average_follows_the_generator_and_predicts() -> None:
    model = assemble(algorithm_class("SRGAN"), VARIANTS["LSGAN"], ema=0.5)
    optimizers = optimizers_for(model)
    start = model.generator.first.weight.clone()
    model.train_step(batch_for(model), optimizers)
    decay = min(0.5, 1 / 10)
    expected = decay * start + (1 - decay) * model.generator.first.weight
    average: Any = model.generator_ema
    assert torch.allclose(average.first.weight, expected, atol=1e-7)
    assert not any(p.requires_grad for p in average.parameters())
    low = torch.rand(1, 3, 7, 9)
    assert torch.equal(model.predict(low), average(low).clamp(0, 1))


def test_two_losses_of_one_type_both_count() -> None:
    from dataclasses import replace

    from toolbox.training.parts import WeightedLoss

    model = assemble(algorithm_class("SRGAN"), VARIANTS["LSGAN"])
    once = WeightedLoss("L1", torch.nn.L1Loss(), 1.0)
    sums = []
    for losses in ([once], [replace(once, weight=0.25), replace(once, weight=0.75)]):
        model.parts = replace(model.parts, losses={"pixel": losses})
        values = model.data_preprocessor(batch_for(model), False)
        model.translate(values)
        logs: dict[str, Tensor] = {}
        sums.append(model.generators_loss(values, logs).item())
        assert len([name for name in logs if name.startswith("g/pixel")]) == len(losses)
    assert sums[1] == pytest.approx(sums[0])


class BatchNormDiscriminator(torch.nn.Module):
    """One batch norm between two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 4, 2), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Conv2d(4, 1, 4)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.layers(images)]


def test_batch_norm_sees_fakes_in_the_discriminators_step_as_in_the_generators() -> None:
    model = assemble(algorithm_class("SRGAN"), VARIANTS["LSGAN"], discriminator=lambda _: BatchNormDiscriminator())
    real, fake = torch.rand(2, 2, 3, 16, 16)
    together, alone = (
        model.judge("discriminator", real=real + 5, fake=fake)[1],
        model.judge("discriminator", fake=fake)[0],
    )
    assert torch.equal(together["adversarial"][0], alone["adversarial"][0])


def test_penalties_meet_float32_under_autocast() -> None:
    from mmengine.optim import OptimWrapperDict

    from toolbox.engine.optimizers import GuardedOptimWrapper

    model = assemble(algorithm_class("SRGAN"), VARIANTS["WGANGP"])
    seen: list[torch.dtype] = []
    critic: Any = model.variants["discriminator"]
    network: Any = model.discriminator
    regularize, forward = critic.regularize, network.first.forward
    inside = [False]

    def watched(discriminator: Any, real: Tensor, fake: Tensor) -> Tensor:
        seen.extend((real.dtype, fake.dtype))
        inside[0] = True
        return regularize(discriminator, real, fake)

    def convolved(images: Tensor) -> Tensor:
        result = forward(images)
        assert result.dtype == (torch.float32 if inside[0] else torch.bfloat16)
        return result

    critic.regularize, network.first.forward = watched, convolved
    wrapped = {
        name: GuardedOptimWrapper(optimizer=each.optimizer, precision=torch.bfloat16)
        for name, each in optimizers_for(model).items()
    }
    model.train_step(batch_for(model), OptimWrapperDict(**wrapped))
    assert seen == [torch.float32, torch.float32]


def test_averages_that_a_checkpoint_does_not_hold_begin_at_its_weights() -> None:
    trained = assemble(algorithm_class("SRGAN"), VARIANTS["LSGAN"], seed=1)
    model = assemble(algorithm_class("SRGAN"), VARIANTS["LSGAN"], ema=0.9, seed=2)
    model.load_state_dict(trained.state_dict())
    average: Any = model.generator_ema
    assert torch.equal(average.first.weight, trained.generator.first.weight)
    assert average.first.weight.data_ptr() != model.generator.first.weight.data_ptr()


def rhythm(model: Any) -> list[int]:
    return [module.steps for module in model.variants.modules() if isinstance(module, R1)]


def test_a_restart_forgets_pooled_images_and_another_runs_random_numbers() -> None:
    def lazy() -> LSGAN:
        penalty = R1()
        penalty.configure(every=4)
        variant = LSGAN()
        variant.regularizers.append(penalty)
        return variant

    first = assemble(algorithm_class("SRGAN"), lazy, pool=4, seed=1)
    first.train_step(batch_for(first), optimizers_for(first))
    model = assemble(algorithm_class("SRGAN"), lazy, pool=4, seed=2)
    preprocessor: Any = model.data_preprocessor
    own = preprocessor.rng.get_state()
    model.load_state_dict(first.state_dict())
    assert model.iteration == 1 and len(model.pools["discriminator"].images) == 2  # pyright: ignore
    assert rhythm(model) == [1]
    model.restart()
    assert rhythm(model) == [0]
    assert model.iteration == 0 and not model.pools["discriminator"].images  # pyright: ignore
    assert torch.equal(preprocessor.rng.get_state(), own)


def test_validation_degrades_an_image_alike_in_any_batch() -> None:
    model = assemble(algorithm_class("SRGAN"), VARIANTS["LSGAN"])
    pictures = batch_for(model, count=3)["hr"]
    together = model.data_preprocessor({"hr": pictures}, False)["lr"]
    for number in range(3):
        assert torch.equal(model.data_preprocessor({"hr": pictures[number, None]}, False)["lr"][0], together[number])


def test_every_output_is_compared_with_its_own_do_nothing_baseline() -> None:
    from toolbox_plugins.metrics.luminance import LuminanceCorrelation

    model = assemble(algorithm_class("CycleGAN"), VARIANTS["LSGAN"])
    samples = model.val_step(batch_for(model))
    metric = LuminanceCorrelation(prediction="fake_a", reference="real_b")
    metric.process(None, samples)
    assert all(result["luminance_correlation/do_nothing"] == pytest.approx(1) for result in metric.results)
    metric = LuminanceCorrelation(prediction="fake_b", reference="real_a")
    metric.process(None, samples)
    assert all(result["luminance_correlation/do_nothing"] == pytest.approx(1) for result in metric.results)

"""Two ranks, or accumulated micro-batches, take the very step of the large batch: float64, SGD, no sampled noise.

Excluded by name, because their loss of a batch is not the mean of its samples' losses or their state sees another
sequence: batch statistics, relativistic averages, sampled places (WGAN-GP, DRAGAN, augmentations), spectral norm's
power iterations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from mmengine.model import MMSeparateDistributedDataParallel
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from matrix import CELLS as EVERY_CELL
from matrix import VARIANTS, algorithm_class, halved
from toolbox.contracts.gan_variant import GanVariant
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.training.algorithm import Algorithm, Values
from toolbox_plugins.regularizers.slope import R1, R2
from two_ranks import on_two_ranks

APART = ("SpectralNorm", "WGANGP", "DRAGAN", "RaGAN", "Vanilla(")
STEPS = 5


def with_slopes() -> GanVariant:
    """Vanilla with an eager and a lazy penalty, which take the mean over samples and draw nothing."""
    variant = VARIANTS["Vanilla"]()
    for regularizer, every in ((R1(), 1), (R2(), 2)):
        regularizer.configure(weight=10.0, every=every)
        variant.regularizers.append(regularizer)
    return variant


PENALISED = "Vanilla and R1, R2"
MADE = {**VARIANTS, PENALISED: with_slopes}
CELLS = [cell for cell in EVERY_CELL if not cell[1].startswith(APART)]
CELLS += [(algorithm, PENALISED) for algorithm in ("CycleGAN", "SRGAN")]


def model_of(algorithm: str, variant: str) -> Algorithm:
    model = assemble(algorithm_class(algorithm), MADE[variant]).double()
    translate = model.translate

    def without_noise(values: Values) -> None:
        # parts of a batch would draw another noise of codes, other strengths, and other places of patches
        halves = patch("torch.rand_like", lambda x: torch.full_like(x, 0.5))
        with halves, patch("torch.randn_like", torch.zeros_like), patch("torch.randperm", torch.arange):
            translate(values)

    model.translate = without_noise  # pyright: ignore[reportAttributeAccessIssue]
    return model


def batch_of(model: Algorithm, step: int) -> dict[str, torch.Tensor]:
    """Four samples in float64, with every input given, so that no degradation draws noise."""
    given = batch_for(model, count=4, seed=100 * step)
    batch = {name: value.double() if value.is_floating_point() else value for name, value in given.items()}
    return batch | {name: halved(batch[src]) for name, src in model.derived.items()}


def weights_of(model: Algorithm) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def large_batch(algorithm: str, variant: str) -> torch.Tensor:
    model = model_of(algorithm, variant)
    optimizers = optimizers_for(model, sgd=True, lr=0.05)
    for step in range(STEPS):
        model.train_step(batch_of(model, step), optimizers)
    return weights_of(model)


@pytest.mark.parametrize(("algorithm", "variant"), CELLS)
def test_four_accumulated_samples_equal_a_batch_of_four(algorithm: str, variant: str) -> None:
    model = model_of(algorithm, variant)
    optimizers = optimizers_for(model, sgd=True, lr=0.05, accumulation=4)
    for step in range(STEPS):
        batch = batch_of(model, step)
        for i in range(4):
            model.train_step({name: value[i : i + 1] for name, value in batch.items()}, optimizers)
    assert (weights_of(model) - large_batch(algorithm, variant)).abs().max() < 1e-10


def train_every_cell(folder: Path, rank: int) -> dict[str, Any]:
    """Train every cell on this rank's half of each batch, at once and sample by sample; returns the weights."""
    finals: dict[str, Any] = {}
    for algorithm, variant in CELLS:
        for parts in (1, 2):
            model = model_of(algorithm, variant)
            wrapped = MMSeparateDistributedDataParallel(model, device_ids=None)
            exchanges: list[int] = []
            for network in wrapped.children():
                for inner in network.children():
                    if isinstance(inner, DistributedDataParallel):
                        inner.register_comm_hook(exchanges, counted)
            optimizers = optimizers_for(model, sgd=True, lr=0.05, accumulation=parts)
            for step in range(STEPS):
                mine = {name: value[2 * rank : 2 * rank + 2] for name, value in batch_of(model, step).items()}
                for i in range(parts):
                    wrapped.train_step({name: value[i::parts] for name, value in mine.items()}, optimizers)
            finals[f"{algorithm} {variant} {parts}"] = weights_of(model)
            finals[f"exchanges of {algorithm} {variant} {parts}"] = len(exchanges)
    return finals


def counted(exchanges, bucket):  # torch refuses annotations that it cannot compare
    """DDP's own mean over the ranks, and a count of how often it is taken."""
    exchanges.append(1)
    return allreduce_hook(torch.distributed.group.WORLD, bucket)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, torch.Tensor]]:
    """The weights of two ranks after training every cell."""
    return on_two_ranks(train_every_cell, tmp_path_factory.mktemp("ranks"))


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize(("algorithm", "variant"), CELLS)
def test_two_ranks_of_two_equal_one_batch_of_four(
    algorithm: str, variant: str, parts: int, ranks: list[dict[str, Any]]
) -> None:
    expected = large_batch(algorithm, variant)
    for rank in ranks:
        assert (rank[f"{algorithm} {variant} {parts}"] - expected).abs().max() < 1e-10


@pytest.mark.parametrize(("algorithm", "variant"), CELLS)
def test_ranks_exchange_gradients_once_for_each_step_however_many_micro_batches_it_has(
    algorithm: str, variant: str, ranks: list[dict[str, Any]]
) -> None:
    for rank in ranks:
        once, accumulated = (rank[f"exchanges of {algorithm} {variant} {parts}"] for parts in (1, 2))
        assert once == accumulated > 0

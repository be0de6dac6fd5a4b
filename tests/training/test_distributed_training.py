"""Two processes that train together stay identical, for every algorithm with every variant.

Each cell runs ten iterations or more, with gradients accumulated over two micro-batches, all of a critic's steps, and a
pool of old fakes on each rank.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import MMSeparateDistributedDataParallel

from matrix import CELLS, VARIANTS, algorithm_class
from toolbox.contracts.gan_variant import GanVariant
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.training.algorithm import Algorithm
from toolbox_plugins.cyclegan.discriminator import PatchDiscriminator
from toolbox_plugins.regularizers.slope import R1, R2
from two_ranks import on_two_ranks


def with_batch_norm(channels: int) -> PatchDiscriminator:
    """A discriminator whose statistics differ from rank to rank."""
    return PatchDiscriminator(in_channels=channels, width=8, layers=1, norm="batch")


def train_every_cell(folder: Path, rank: int) -> dict[str, Any]:
    """Train every cell on this rank's own data; returns the weights."""
    finals: dict[str, Any] = {}
    for algorithm, variant in [*CELLS, ("SRGAN", "batch norm")]:
        if variant == "batch norm":
            model = assemble(algorithm_class(algorithm), VARIANTS["LSGAN"], discriminator=with_batch_norm)
        else:
            model = assemble(algorithm_class(algorithm), VARIANTS[variant], pool=2)
        for parameter in model.parameters() if rank else ():
            parameter.data += 1  # the wrapper must make the ranks equal at the start
        wrapped = MMSeparateDistributedDataParallel(model, device_ids=None)
        torch.manual_seed(rank)
        optimizers = optimizers_for(model, accumulation=2)
        cycle = max(int(v.d_steps) for v in model.variants.values())  # pyright: ignore[reportArgumentType]
        for step in range(max(10, 4 * cycle)):
            wrapped.train_step(batch_for(model, seed=10 * step + rank), optimizers)
        name = variant if variant == "batch norm" else f"{algorithm} {variant}"
        finals[name] = torch.cat([p.detach().flatten() for p in model.parameters()])
    finals["CUT, one data"] = contrasted(lambda model: MMSeparateDistributedDataParallel(model, device_ids=None))
    finals["slopes, one data"] = penalised(lambda model: MMSeparateDistributedDataParallel(model, device_ids=None))
    return finals


def contrasted(wrap: Callable[[Algorithm], Any]) -> torch.Tensor:
    """Weights after two iterations of CUT, the same on every rank: its encoder runs beside the wrapper."""
    model = assemble(algorithm_class("CUT"), VARIANTS["LSGAN"])
    wrapped, optimizers = wrap(model), optimizers_for(model, lr=0.1, sgd=True)
    for step in range(2):
        torch.manual_seed(step)
        wrapped.train_step(batch_for(model, seed=step), optimizers)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def penalised(wrap: Callable[[Algorithm], Any]) -> torch.Tensor:
    """Weights after three iterations with R1 and a lazy R2, on the same data on every rank."""
    model = assemble(algorithm_class("SRGAN"), lambda: with_slopes(VARIANTS["Vanilla"]()))
    wrapped, optimizers = wrap(model), optimizers_for(model, lr=0.1, sgd=True)
    for step in range(3):
        wrapped.train_step(batch_for(model, seed=step), optimizers)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def with_slopes(variant: GanVariant) -> GanVariant:
    """A variant with penalties strong enough to show in the weights."""
    for regularizer, every in ((R1(), 1), (R2(), 2)):
        regularizer.configure(weight=10.0, every=every)
        variant.regularizers.append(regularizer)
    return variant


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, torch.Tensor]]:
    """The weights of both ranks after training every cell."""
    return on_two_ranks(train_every_cell, tmp_path_factory.mktemp("ranks"))


@pytest.mark.parametrize(("algorithm", "variant"), CELLS)
def test_two_ranks_with_different_data_keep_identical_weights(
    algorithm: str, variant: str, ranks: list[dict[str, torch.Tensor]]
) -> None:
    first, second = (rank[f"{algorithm} {variant}"] for rank in ranks)
    assert torch.equal(first, second)


def test_two_ranks_keep_identical_weights_with_batch_norm_in_the_discriminator(
    ranks: list[dict[str, torch.Tensor]],
) -> None:
    first, second = (rank["batch norm"] for rank in ranks)
    assert torch.equal(first, second)


def test_gradients_of_calls_beside_the_wrapper_are_exchanged_too(ranks: list[dict[str, torch.Tensor]]) -> None:
    torch.testing.assert_close(ranks[0]["CUT, one data"], contrasted(lambda model: model), atol=1e-5, rtol=1e-4)
    assert torch.equal(ranks[0]["CUT, one data"], ranks[1]["CUT, one data"])


def test_gradients_of_penalties_reach_every_rank_in_full(ranks: list[dict[str, torch.Tensor]]) -> None:
    torch.testing.assert_close(ranks[0]["slopes, one data"], penalised(lambda model: model), atol=1e-5, rtol=1e-4)
    assert torch.equal(ranks[0]["slopes, one data"], ranks[1]["slopes, one data"])

"""Two processes that train together stay identical, for every algorithm with every variant."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import torch

from matrix import CELLS, VARIANTS, algorithm_class
from toolbox.testing import assemble, batch_for, optimizers_for


def train_on_two_ranks(rank: int, port: int, folder: str) -> None:
    """Train every cell on this rank's own data and save the weights."""
    from mmengine.model import MMSeparateDistributedDataParallel

    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    finals: dict[str, Any] = {}
    for algorithm, variant in CELLS:
        model = assemble(algorithm_class(algorithm), VARIANTS[variant], pool=2)
        for parameter in model.parameters() if rank else ():
            parameter.data += 1  # the wrapper must make the ranks equal at the start
        wrapped = MMSeparateDistributedDataParallel(model, device_ids=None)
        torch.manual_seed(rank)
        optimizers = optimizers_for(model)
        cycle = max(int(v.d_steps) for v in model.variants.values())  # pyright: ignore[reportArgumentType]
        for step in range(2 * cycle):
            wrapped.train_step(batch_for(model, seed=10 * step + rank), optimizers)
        finals[f"{algorithm} {variant}"] = torch.cat([p.detach().flatten() for p in model.parameters()])
    torch.save(finals, Path(folder) / f"rank{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, torch.Tensor]]:
    """The weights of both ranks after training every cell."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(train_on_two_ranks, (port, str(folder)), nprocs=2)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize(("algorithm", "variant"), CELLS)
def test_two_ranks_with_different_data_keep_identical_weights(
    algorithm: str, variant: str, ranks: list[dict[str, torch.Tensor]]
) -> None:
    first, second = (rank[f"{algorithm} {variant}"] for rank in ranks)
    assert torch.equal(first, second)

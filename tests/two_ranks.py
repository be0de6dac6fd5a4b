"""Runs a function in two gloo processes and brings back what each returns; and trainings of several processes."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.spawn import start_processes

from forked import server

TRAIN = Path(__file__).parents[1] / "tools" / "train.py"


def _one_rank(rank: int, function: Callable[[Path, int], dict[str, Any]], port: int, folder: str) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.distributed.init_process_group("gloo")
    torch.save(function(Path(folder), rank), Path(folder) / f"rank{rank}.pt")
    gc.collect()  # the wrappers of networks hold on to the group
    torch.distributed.barrier()  # the other rank may still be writing
    torch.distributed.destroy_process_group()  # a rank that just ends takes gloo's threads down, and the other aborts


def on_two_ranks(function: Callable[[Path, int], dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Call `function(folder, rank)` in two processes of one group; returns both results (tensors and plain types)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server()  # has imported most of what they need
    start_processes(_one_rank, (function, port, str(folder)), nprocs=2, start_method="forkserver")
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


def torchrun(*arguments: object, processes: int = 2, restarts: int = 0) -> None:
    """Run tools/train.py in several processes."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={processes}", "--master_port=0"]
    launch += [f"--max-restarts={restarts}"]
    launch += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", str(TRAIN), *map(str, arguments)]
    done = subprocess.run(
        [*launch, "--launcher", "pytorch"], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]

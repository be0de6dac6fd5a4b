"""Starting the processes of a distributed run: NCCL on GPUs, gloo on CPU."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import torch
from mmengine.dist import all_reduce, get_dist_info, init_dist, is_distributed
from torch import nn

from toolbox.io.errors import UserError


def start_distributed(launcher: str, settings: Mapping[str, Any] | None = None) -> tuple[int, int]:
    """Join the process group that `launcher` (none, pytorch, slurm, mpi) prepared; returns (rank, world size).

    mmengine's own start has no path for CPU, so `--launcher pytorch` without a GPU joins a gloo group here.
    """
    if launcher != "none" and not is_distributed():
        for library in ("OMP", "MKL"):  # processes share the cores; mmengine would warn
            os.environ.setdefault(f"{library}_NUM_THREADS", "1")
        if torch.cuda.is_available():
            init_dist(launcher, **{"backend": "nccl", **(settings or {})})
        elif launcher == "pytorch":
            seconds = (settings or {}).get("timeout", 1800)
            torch.distributed.init_process_group("gloo", timeout=timedelta(seconds=seconds))
        else:
            raise UserError(f"launcher: {launcher} needs GPUs; on CPU start with torchrun and --launcher pytorch")
        _groups.append(launcher)
    return get_dist_info()


_groups: list[str] = []
"""The launcher of the group that this process joined here; none if somebody else joined it."""


def leave_distributed() -> None:
    """Wait for all ranks and leave the group that `start_distributed` joined.

    A rank that exits while another still works takes gloo's threads down with it, and the process aborts.
    """
    if _groups and is_distributed():
        _groups.clear()
        gc.collect()  # the wrappers of networks hold on to the group
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


@torch.no_grad()
def average_buffers(model: nn.Module) -> None:
    """Average the floating buffers (batch norm's statistics) over the ranks: they are not exchanged while training."""
    if not is_distributed():
        return
    for buffer in model.buffers():
        if buffer.is_floating_point():
            all_reduce(buffer, "mean")

"""Starting the processes of a distributed run: NCCL on GPUs, gloo on CPU."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from mmengine.dist import all_reduce, get_dist_info, init_dist, is_distributed
from torch import nn

from toolbox.engine.meeting import where_to_meet
from toolbox.io.errors import RunFailed, UserError

PATIENCE = 600
"""Seconds after which a process that does not answer the others is given up; `env_cfg.dist_cfg.timeout` sets it."""


def start_distributed(launcher: str, settings: Mapping[str, Any] | None = None) -> tuple[int, int]:
    """Join the process group that `launcher` (none, pytorch, slurm, mpi) prepared; returns (rank, world size).

    mmengine's own start has no path for CPU, so `--launcher pytorch` or `mpi` without a GPU joins a gloo group here.
    """
    if launcher != "none" and not is_distributed():
        for library in ("OMP", "MKL"):  # processes share the cores; mmengine would warn
            os.environ.setdefault(f"{library}_NUM_THREADS", "1")
        if launcher == "mpi":
            _start_as_mpi_says()
        settings = {"timeout": PATIENCE, **(settings or {})}
        patience = timedelta(seconds=settings["timeout"])
        if torch.cuda.is_available():
            started_as = "pytorch" if launcher == "mpi" else launcher
            where = {} if launcher == "slurm" else where_to_meet(patience)
            init_dist(started_as, **{"backend": "nccl", **settings, **where})
        elif launcher != "slurm":
            torch.distributed.init_process_group("gloo", timeout=patience, **where_to_meet(patience))
        else:
            raise UserError(
                f"launcher: {launcher} needs GPUs; on CPU start with torchrun and --launcher pytorch, or mpirun and mpi"
            )
        _groups.append(launcher)
    return get_dist_info()


_LOST = re.compile(r"closed by peer|reset by peer|pair closure|Broken pipe|Connection refused|gloo/transport", re.I)
_HANGS = re.compile(r"timed? ?out", re.I)
"""What gloo and torch's stores say where a process has died, and where it does not answer."""
_TOGETHER = re.compile(r"gloo|torch\.distributed|TCPStore|Socket", re.I)
"""What an error of theirs names: others time out too."""


@contextmanager
def telling_of_lost_ranks(settings: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Say in one line that another process of the run has died, or hangs; NCCL's own watchdog ends a process itself.

    Raises:
        RunFailed: it did; what was saved last is there.
    """
    try:
        yield
    except RuntimeError as error:
        text = " ".join(str(error).split())
        together = isinstance(error, torch.distributed.DistError) or _TOGETHER.search(text)
        hangs, lost = together and _HANGS.search(text), _LOST.search(text)
        if int(os.environ.get("WORLD_SIZE", 1)) < 2 or not (hangs or lost):
            raise
        seconds = (settings or {}).get("timeout", PATIENCE)
        what = f"does not answer for {seconds} s (env_cfg.dist_cfg.timeout)" if hangs else "has died"
        raise RunFailed(
            f"another process of this run {what}; --resume continues, and torchrun --max-restarts=3 does so by itself "
            f"({text[:120]})"
        ) from error


_PLACES = {
    "RANK": (
        "RANK",
        "OMPI_COMM_WORLD_RANK",
        "PMI_RANK",
        "PMIX_RANK",
        "MV2_COMM_WORLD_RANK",
        "PALS_RANKID",
        "SLURM_PROCID",
    ),
    "WORLD_SIZE": (
        "WORLD_SIZE",
        "OMPI_COMM_WORLD_SIZE",
        "PMI_SIZE",
        "MV2_COMM_WORLD_SIZE",
        "PALS_SIZE",
        "SLURM_NTASKS",
    ),
    "LOCAL_RANK": (
        "LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "MPI_LOCALRANKID",
        "MV2_COMM_WORLD_LOCAL_RANK",
        "PALS_LOCAL_RANKID",
        "SLURM_LOCALID",
    ),
}
"""Where launchers tell a process its place: torchrun; Open MPI; Intel MPI and MPICH; MVAPICH; Cray; slurm last, since
an mpirun inside a slurm job hands slurm's own number to all its processes."""


def local_rank() -> int:
    """The number of this process on its machine, as the launcher tells it: which GPU is its own.

    Raises:
        UserError: no launcher told it, or told something that is no number.
    """
    return _place("LOCAL_RANK")


def rank_told(launcher: str | None) -> int:
    """The number of this process among all, before the group is joined; 0 where nobody launched several."""
    launched = launcher not in (None, "none") and any(name in os.environ for name in _PLACES["RANK"])
    return _place("RANK") if launched else 0


def _place(what: str) -> int:
    for name in _PLACES[what]:
        if name in os.environ:
            told = os.environ[name].strip()
            if not told.isdecimal():
                raise UserError(f"{name}: must be a whole number of 0 or more, got {told!r}")
            return int(told)
    raise UserError(f"the launcher did not tell {what}; set it for every process ({', '.join(_PLACES[what])} are read)")


def _start_as_mpi_says() -> None:
    """Hand on what mpirun told to torch, which reads torchrun's names; mmengine reads Open MPI's alone."""
    if "MASTER_ADDR" not in os.environ:
        raise UserError("launcher: mpi does not tell where rank 0 runs; set MASTER_ADDR to its host for every process")
    os.environ.setdefault("MASTER_PORT", "29500")
    os.environ |= {what: str(_place(what)) for what in _PLACES}


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

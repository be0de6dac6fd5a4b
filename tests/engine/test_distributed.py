"""Joining a group: which process this is, as each launcher tells it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.multiprocessing.spawn import spawn

from toolbox.engine.distributed import leave_distributed, local_rank, start_distributed
from toolbox.io.errors import UserError

TOLD = {
    "torchrun": "LOCAL_RANK",
    "Open MPI": "OMPI_COMM_WORLD_LOCAL_RANK",
    "Intel MPI": "MPI_LOCALRANKID",
    "MVAPICH": "MV2_COMM_WORLD_LOCAL_RANK",
    "Cray": "PALS_LOCAL_RANKID",
    "slurm": "SLURM_LOCALID",
}


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TOLD.values():
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("launcher", TOLD)
def test_every_launcher_tells_the_local_rank_by_its_own_name(launcher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOLD[launcher], "3")
    assert local_rank() == 3


def test_mpi_inside_a_slurm_job_is_believed_before_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_LOCALID", "0")  # of the one task that mpirun was started in
    monkeypatch.setenv("OMPI_COMM_WORLD_LOCAL_RANK", "5")
    assert local_rank() == 5


def test_a_rank_that_nobody_told_or_that_is_no_number_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UserError, match="did not tell LOCAL_RANK; set it"):
        local_rank()
    monkeypatch.setenv("MPI_LOCALRANKID", "-1")
    with pytest.raises(UserError, match="MPI_LOCALRANKID: must be a whole number of 0 or more, got '-1'"):
        local_rank()


def test_mpi_without_a_host_of_rank_0_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(UserError, match="set MASTER_ADDR"):
        start_distributed("mpi")


@pytest.mark.parametrize("prefix", ["OMPI_COMM_WORLD", "PMI"])
def test_two_processes_of_mpirun_make_one_group(prefix: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(_one_process, (prefix, port, tmp_path), nprocs=2)
    found: list[Any] = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    assert found == [(0, 2, 0, 3.0), (1, 2, 1, 3.0)]


def _one_process(rank: int, prefix: str, port: int, folder: Path) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        os.environ.pop(name, None)
    local = "MPI_LOCALRANKID" if prefix == "PMI" else f"{prefix}_LOCAL_RANK"
    os.environ |= {f"{prefix}_RANK": str(rank), f"{prefix}_SIZE": "2", local: str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    told = start_distributed("mpi")
    total = torch.tensor(rank + 1.0)
    torch.distributed.all_reduce(total)
    torch.save((*told, local_rank(), total.item()), folder / f"{rank}.pt")
    leave_distributed()

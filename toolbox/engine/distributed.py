"""Starting the processes of a distributed run: NCCL on GPUs, gloo on CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import get_dist_info, init_dist, is_distributed

from toolbox.errors import UserError


def start_distributed(launcher: str, settings: Mapping[str, Any] | None = None) -> tuple[int, int]:
    """Join the process group that `launcher` (none, pytorch, slurm, mpi) prepared; returns (rank, world size).

    mmengine's own start has no path for CPU, so `--launcher pytorch` without a GPU joins a gloo group here.
    """
    if launcher != "none" and not is_distributed():
        if torch.cuda.is_available():
            init_dist(launcher, **{"backend": "nccl", **(settings or {})})
        elif launcher == "pytorch":
            torch.distributed.init_process_group("gloo")
        else:
            raise UserError(f"launcher: {launcher} needs GPUs; on CPU start with torchrun and --launcher pytorch")
    return get_dist_info()

"""A hook that kills rank 1 in its fifth iteration, the first time that torchrun starts it."""

from __future__ import annotations

import os
import signal
from typing import Any

from mmengine.hooks import Hook

from toolbox import hookimpl


class DyingRank(Hook):
    """As a machine that fails."""

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.rank == 1 and batch_idx == 4 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            os.kill(os.getpid(), signal.SIGKILL)


@hookimpl
def register_hooks(register: Any) -> None:
    register("DyingRank", DyingRank)

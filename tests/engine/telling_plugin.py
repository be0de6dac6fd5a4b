"""A hook that tells by files in the work folder where a run is, for those who kill it there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from toolbox import hookimpl


class Telling(Hook):
    """Leaves `telling_validation` with the first validation, which lasts a moment, and `telling_end` near the end."""

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.rank == 0 and batch_idx == runner.train_loop.last - 2:
            Path(runner.work_dir, "telling_end").touch()

    def before_val_epoch(self, runner: Any) -> None:
        if runner.rank == 0:
            Path(runner.work_dir, "telling_validation").touch()
        time.sleep(0.02)


@hookimpl
def register_hooks(register: Any) -> None:
    register("Telling", Telling)

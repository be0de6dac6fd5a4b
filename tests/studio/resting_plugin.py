"""A hook that rests after each iteration: a training that goes on for ever leaves the processor to others."""

from __future__ import annotations

import time
from typing import Any

from mmengine.hooks import Hook

from toolbox import hookimpl


class Rest(Hook):
    """Sleeps a twentieth of a second."""

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        time.sleep(0.05)


@hookimpl
def register_hooks(register: Any) -> None:
    register("Rest", Rest)

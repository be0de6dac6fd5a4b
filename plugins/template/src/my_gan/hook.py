"""A hook: does something at fixed points of training."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from torch import Tensor


class LossTable(Hook):
    """Writes every `interval`-th iteration's losses to `losses.csv` in the run's folder, one column for each.

    Reading a loss waits for the device, so a small interval slows a run down. Only the first process writes.
    """

    def __init__(self, *, interval: int = 50) -> None:
        if interval < 1:
            raise ValueError(f"interval must be at least 1, got {interval}")
        self.interval = interval

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Tensor] | None = None
    ) -> None:
        """Add a line; `outputs` are the iteration's losses by name, detached scalars on the device."""
        if runner.rank or (batch_idx + 1) % self.interval or not outputs:
            return
        file = Path(runner.work_dir) / "losses.csv"
        is_new = not file.exists()
        with file.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            if is_new:
                writer.writerow(["iteration", *sorted(outputs)])
            writer.writerow([batch_idx + 1, *(f"{outputs[name].item():.6g}" for name in sorted(outputs))])

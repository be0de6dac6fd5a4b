"""Stops a run whose losses or gradients stay infinite or NaN, and refuses one that could not save itself."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from torch import isfinite, nn

from toolbox.io.errors import RunFailed, UserError
from toolbox.weights.checkpoint import checkpoints


class GuardHook(Hook):
    """Looks at the skipped steps every `interval` iterations; stops after `patience` or more in a row.

    Steps with a NaN or infinite gradient are skipped by the optimizers themselves, so the weights stay good.
    """

    priority = "LOW"

    def __init__(self, *, interval: int = 20, patience: int = 20) -> None:
        if interval < 1 or patience < 1:
            raise ValueError(f"interval and patience must be at least 1, got {interval} and {patience}")
        self.interval, self.patience = interval, patience
        self.reported: dict[str, int] = {}

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Warn of skipped steps, stop after too many."""
        if (batch_idx + 1) % self.interval:
            return
        for name in runner.optimizers.keys():  # noqa: SIM118 (mmengine's dict of optimizers iterates over nothing)
            total, in_a_row = runner.optimizers[name].count_skipped()
            if total > self.reported.get(name, 0):
                self.reported[name] = total
                runner.logger.warning("%d steps of the %s were skipped: a gradient was not finite", total, name)
            if in_a_row >= self.patience:
                saved = checkpoints(Path(runner.work_dir))
                kept = f"{saved[0].name} is good" if saved else "no checkpoint was written yet"
                raise RunFailed(
                    f"the gradient of the {name} was not finite {in_a_row} times in a row, at iteration "
                    f"{batch_idx + 1}{self.guilty(outputs)}; {kept}: try a smaller rate, clip_grad, or another variant"
                )

    def guilty(self, outputs: Any) -> str:
        """The losses that are not finite, for the message."""
        names = [name for name, value in (outputs or {}).items() if not isfinite(value)]
        return f" ({', '.join(names)} not finite)" if names else ""


def check_work_dir(work_dir: Path, model: nn.Module) -> None:
    """Refuse at the start what would fail at the first checkpoint: a folder that cannot be written, a full disk."""
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=work_dir) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UserError(
            f"work_dir {work_dir}: cannot be written ({error.strerror}); choose another with --work-dir"
        ) from None
    # weights, and Adam's two averages of those that train
    weights = sum(p.numel() * p.element_size() * (3 if p.requires_grad else 1) for p in model.parameters())
    free = shutil.disk_usage(work_dir).free
    if free < 2 * weights:  # a new checkpoint is written before an old one goes
        raise UserError(
            f"work_dir {work_dir}: {free / 2**20:.0f} MiB are free and two checkpoints need about "
            f"{2 * weights / 2**20:.0f} MiB; free some, or choose another with --work-dir"
        )

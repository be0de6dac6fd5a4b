"""When checkpoints are written: at intervals, at the end, and when somebody asks the run to stop."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import Hook

from toolbox.io.errors import RunFailed, UserError, did_you_mean
from toolbox.weights.checkpoint import checkpoints, read_checkpoint, remove_checkpoint, set_aside


class CheckpointHook(Hook):
    """Saves every `interval` iterations and at the end; keeps the newest `max_keep_ckpts`.

    An old checkpoint is removed only after the new one is on the disk and verified. SIGTERM and Ctrl-C save at the
    next iteration at which a run can resume exactly, and stop it. `save_best` names a metric: whenever validation
    finds it better than ever before, `best_<metric>.pth` is written too (`best_psnr_fake_a.pth` of `psnr/fake_a`).
    """

    priority = "VERY_LOW"

    def __init__(self, *, interval: int = 5000, max_keep_ckpts: int = 3, save_best: str | None = None) -> None:
        if interval < 1 or max_keep_ckpts < 1:
            raise ValueError(f"interval and max_keep_ckpts must be at least 1, got {interval} and {max_keep_ckpts}")
        self.interval, self.max_keep_ckpts, self.save_best = interval, max_keep_ckpts, save_best
        self.asked: str | None = None
        self.best: float | None = None
        self.previous: dict[int, Any] = {}

    @property
    def best_file(self) -> str:
        """Name of the best checkpoint's file; a metric's slash would be a folder that nobody made."""
        return f"best_{str(self.save_best).replace('/', '_')}.pth"

    def before_train(self, runner: Any) -> None:
        """Listen to the signals that ask a run to stop; a resumed run remembers the best so far."""
        self.asked, self.best = None, None
        if runner.rank == 0 and not runner.iter:  # a new run in an old run's folder must not mix with it
            aside = set_aside(Path(runner.work_dir), f"before_{runner.timestamp}")
            if aside is not None:
                runner.logger.warning("checkpoints of an earlier run were moved to %s; --resume continues one", aside)
        best = Path(runner.work_dir) / self.best_file
        if runner.iter and self.save_best is not None and best.is_file():
            self.best = read_checkpoint(best)["message_hub"]["runtime_info"].get("best")
        if threading.current_thread() is threading.main_thread():
            self.previous = {number: signal.signal(number, self.ask) for number in (signal.SIGTERM, signal.SIGINT)}

    def ask(self, number: int, _: Any) -> None:
        """Remember the signal; a second one stops at once."""
        if self.asked is not None:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name

    def release(self, runner: Any) -> None:
        """Leave the signals as they were, however the training ended."""
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous = {}

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Save when due, and stop when asked."""
        done = batch_idx + 1
        stop = self.should_stop(done, runner.accumulation)
        if stop or done % self.interval == 0 or done == runner.train_loop.last:
            runner.save_checkpoint(runner.work_dir, f"iter_{done}.pth", done=done)
            if runner.rank == 0:
                for path in checkpoints(Path(runner.work_dir))[self.max_keep_ckpts :]:
                    remove_checkpoint(path)
        if stop and done < runner.train_loop.last:
            raise RunFailed(f"stopped by {self.asked or 'another rank'} after iteration {done}; --resume continues")

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Save the best."""
        if self.save_best is None:
            return
        if self.save_best not in (metrics or {}):
            hint = did_you_mean(self.save_best, [name for name in metrics or {} if "/" not in name])
            raise UserError(f"default_hooks.checkpoint.save_best: validation measures no '{self.save_best}'{hint}")
        value = float((metrics or {})[self.save_best])
        measured = [m for m in runner.val_evaluator.metrics if getattr(m, "name", "") == self.save_best]
        rising = all(getattr(m, "higher_is_better", True) for m in measured)
        if self.best is None or (value > self.best if rising else value < self.best):
            self.best = value
            runner.message_hub.update_info("best", value)  # goes into the checkpoint
            runner.save_checkpoint(runner.work_dir, self.best_file, done=runner.iter)

    def should_stop(self, done: int, accumulation: int) -> bool:
        """Whether any rank was asked to stop and no gradient is half accumulated; all ranks answer alike."""
        if done % accumulation:
            return False
        if not is_distributed():
            return self.asked is not None
        if done % (10 * accumulation):  # asking all ranks costs a little: every tenth time will do
            return False
        asked = torch.tensor(float(self.asked is not None))
        all_reduce(asked, "max")
        return bool(asked)

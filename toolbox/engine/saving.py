"""When checkpoints are written: at intervals, before each validation, at the end, and when a run is to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import Hook

from toolbox.engine.chosen_metric import best_file, better, chosen
from toolbox.io.errors import RunStopped, Stopped
from toolbox.weights.checkpoint import checkpoints, read_checkpoint, remove_checkpoint, set_aside


class CheckpointHook(Hook):
    """Saves every `interval` iterations and at the end; keeps the newest `max_keep_ckpts` of these.

    It saves before each validation too, and whenever `minutes` have passed without (null: never), so that little is
    lost whatever happens. Such a checkpoint is beside those kept, and goes when the next one is written. On several
    processes the clock saves nothing where networks have running statistics: saving averages them over the ranks, and
    a run must not depend on the clock.

    An old checkpoint is removed only after the new one is on the disk and verified. SIGTERM, SIGHUP and Ctrl-C save at
    the next iteration at which a run can resume exactly, and stop it. `save_best` names a metric: whenever validation
    finds it better than ever before, `best_<metric>.pth` is written too (`best_psnr_fake_a.pth` of `psnr/fake_a`).
    """

    priority = "VERY_LOW"

    def __init__(
        self,
        *,
        interval: int = 5000,
        max_keep_ckpts: int = 3,
        save_best: str | None = None,
        minutes: float | None = 10.0,
    ) -> None:
        if interval < 1 or max_keep_ckpts < 1:
            raise ValueError(f"interval and max_keep_ckpts must be at least 1, got {interval} and {max_keep_ckpts}")
        if minutes is not None and not minutes > 0:
            raise ValueError(f"minutes must be more than 0, or null, got {minutes}")
        self.interval, self.max_keep_ckpts, self.save_best = interval, max_keep_ckpts, save_best
        self.minutes = minutes
        self.saved_at = time.monotonic()
        self.passing: Path | None = None
        """A checkpoint that only stands until the next one is written."""
        self.asked: str | None = None
        self.best: float | None = None
        self.best_at: int | None = None
        """The iteration of the best checkpoint."""
        self.previous: dict[int, Any] = {}

    @property
    def best_file(self) -> str:
        """Name of the best checkpoint's file."""
        return best_file(str(self.save_best))

    def before_train(self, runner: Any) -> None:
        """Listen to the signals that ask a run to stop; a resumed run remembers the best so far."""
        self.asked, self.best, self.best_at, self.passing = None, None, None, None
        self.saved_at = time.monotonic()
        if runner.rank == 0 and not runner.iter:  # a new run in an old run's folder must not mix with it
            aside = set_aside(Path(runner.work_dir), f"before_{runner.timestamp}")
            if aside is not None:
                runner.logger.warning("checkpoints of an earlier run were moved to %s; --resume continues one", aside)
        best = Path(runner.work_dir) / self.best_file
        if runner.iter and self.save_best is not None and best.is_file():
            checkpoint = read_checkpoint(best)
            self.best, self.best_at = best_of(checkpoint), checkpoint["meta"]["iter"]
            if self.best is None:
                runner.logger.warning("%s does not say how good it is: the next validation is the best so far", best)
        if threading.current_thread() is threading.main_thread():
            numbers = [signal.SIGTERM, signal.SIGINT]
            if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as by nohup
                numbers.append(signal.SIGHUP)
            self.previous = {number: signal.signal(number, self.ask) for number in numbers}

    def ask(self, number: int, _: Any) -> None:
        """Remember the signal; a second one stops at once."""
        if self.asked is not None:
            raise Stopped(number)
        self.asked = signal.Signals(number).name

    def release(self, runner: Any) -> None:
        """Leave the signals as they were, however the training ended."""
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous = {}

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Save when due, and stop when asked."""
        done, loop = batch_idx + 1, runner.train_loop
        stop, late = self.should_stop(done, runner.accumulation)
        late = late and not (is_distributed() and has_statistics(runner.algorithm))
        kept = stop or done % self.interval == 0 or done == loop.last
        if kept or late or self.before_validation(runner, done):
            path = Path(runner.work_dir) / f"iter_{done}.pth"
            runner.save_checkpoint(runner.work_dir, path.name, done=done)
            self.saved_at, passed, self.passing = time.monotonic(), self.passing, None if kept else path
            if runner.rank == 0:
                if passed is not None:
                    remove_checkpoint(passed)
                standing = [each for each in checkpoints(path.parent) if each != self.passing]
                for old in standing[self.max_keep_ckpts :]:
                    remove_checkpoint(old)
        if stop and done < runner.train_loop.last:
            raise RunStopped(f"stopped by {self.asked or 'another rank'} after iteration {done}; --resume continues")

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Save the best."""
        if self.save_best is None:
            return
        value, rising = chosen(runner, metrics, self.save_best, "default_hooks.checkpoint.save_best")
        if self.best is None or better(value, self.best, rising):
            self.best, self.best_at = value, runner.iter
            runner.message_hub.update_info("best", value)  # goes into the checkpoint
            runner.save_checkpoint(runner.work_dir, self.best_file, done=runner.iter)

    @staticmethod
    def before_validation(runner: Any, done: int) -> bool:
        """Whether this is the last iteration before a validation at which no gradient is half accumulated."""
        soon = range(done, done + runner.accumulation)
        return (
            done % runner.accumulation == 0
            and runner._val_loop is not None
            and any(runner.train_loop.validates_after(each) for each in soon)
        )

    def should_stop(self, done: int, accumulation: int) -> tuple[bool, bool]:
        """Whether any rank was asked to stop, and whether the last checkpoint is `minutes` old.

        Neither is so while a gradient is half accumulated; all ranks answer alike.
        """
        if done % accumulation:
            return False, False
        late = self.minutes is not None and time.monotonic() - self.saved_at >= 60 * self.minutes
        if not is_distributed():
            return self.asked is not None, late
        if done % (10 * accumulation):  # asking all ranks costs a little: every tenth time will do
            return False, False
        asked = torch.tensor([float(self.asked is not None), float(late)])
        all_reduce(asked, "max")
        return bool(asked[0]), bool(asked[1])


def best_of(checkpoint: Any) -> float | None:
    """The metric's value that a best checkpoint was saved for; None where it holds none."""
    for key in ("message_hub", "runtime_info", "best"):
        checkpoint = checkpoint.get(key) if isinstance(checkpoint, Mapping) else None
    return checkpoint if isinstance(checkpoint, (int, float)) else None


def has_statistics(algorithm: Any) -> bool:
    """Whether any network has running statistics, as batch norm and spectral norm have."""
    networks = (getattr(algorithm, slot) for slot in (*algorithm.networks, *algorithm.judged))
    return any(buffer.is_floating_point() for network in networks for buffer in network.buffers())

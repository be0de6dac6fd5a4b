"""Stops a run that gains no more on a chosen metric, and says why in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from toolbox.engine.chosen_metric import better, chosen

Seen = Sequence[tuple[int, float]]
"""What was measured so far: iterations, and the chosen metric's value."""
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


class EarlyStopHook(Hook):
    """With `metric`, measures once before the first step, and stops the run when fine-tuning does no more good.

    That is after `patience` validations in a row without a gain of more than `min_gain` on the best so far, or after
    `worse_than_start` in a row that are worse than what the run began with (null: never). Of several `model.phases`
    only the last is cut short: an adversary that comes later has its time. The reason is printed, and stands in the
    report beside what was measured before the first step and at the best iteration.

    A resumed run knows what was measured before, and measures what its checkpoint was written too early for; one that
    had stopped stops again, unless these settings are others.
    """

    priority = "VERY_LOW"  # behind the checkpoint's hook, which keeps the best, and before the report's

    def __init__(
        self,
        *,
        metric: str | None = None,
        patience: int = 5,
        worse_than_start: int | None = 3,
        min_gain: float = 0.0,
    ) -> None:
        for name, count in (("patience", patience), ("worse_than_start", worse_than_start)):
            if count is not None and count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        if not (min_gain >= 0 and isfinite(min_gain)):
            raise ValueError(f"min_gain must be 0 or more, got {min_gain}")
        self.metric, self.patience, self.worse_than_start = metric, patience, worse_than_start
        self.min_gain = min_gain
        self.seen: list[tuple[int, float]] = []

    def before_run(self, runner: Any) -> None:
        """Nothing is known yet."""
        self.seen = []

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Save what was measured so far."""
        if self.metric is not None:
            checkpoint["early_stop"] = {"metric": self.metric, "seen": [list(each) for each in self.seen]}

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Go on with what the interrupted run measured, if that was the same metric."""
        saved = checkpoint.get("early_stop") or {}
        if runner._resume and saved.get("metric") == self.metric:
            self.seen = [(int(iteration), float(value)) for iteration, value in saved.get("seen", [])]

    def before_train(self, runner: Any) -> None:
        """Have measured what was not: the beginning, or what a checkpoint was written before."""
        loop = runner.train_loop
        known = any(iteration == runner.iter for iteration, _ in self.seen)
        due = runner.iter == 0 or loop.validates_after(runner.iter)
        loop.owes_validation = self.metric is not None and due and not known

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Decide; all ranks have the same metrics, and stop alike."""
        if self.metric is None or runner._train_loop is None:
            return
        value, rising = chosen(runner, metrics, self.metric, "default_hooks.early_stop.metric")
        self.seen = [each for each in self.seen if each[0] < runner.iter] + [(runner.iter, value)]
        phases = runner.algorithm.parts.phases
        since = max((each.until for each in phases if each.until is not None and each.until < runner.iter), default=0)
        loop = runner.train_loop
        others = any(each.until is not None and runner.iter <= each.until < loop.max_iters for each in phases)
        reason = None if others or runner.iter >= loop.last else self.reason(rising, since)
        if reason is None:
            return
        loop.stop_training, loop.stopped_because = True, f"{reason}; {self.kept(runner, rising)}"
        runner.logger.info("%s", loop.stopped_because)

    def reason(self, rising: bool, since: int) -> str | None:
        """Why the run should stop now, in words, or None; only validations after iteration `since` count."""
        name, (now, value) = self.metric, self.seen[-1]
        counted = [each for each in self.seen if each[0] > since]
        start = self.seen[0] if self.seen[0][0] == 0 else None
        if start is not None and self.worse_than_start is not None:
            behind = 0
            for _, each in reversed(counted):
                if better(each, start[1], rising) or each == start[1]:
                    break
                behind += 1
            if behind >= self.worse_than_start:
                return (
                    f"stopped at {now:,}: {name} has been worse than where it began for {validations(behind)} "
                    f"({start[1]:.4g} → {value:.4g})"
                )
        best = best_of(self.seen, rising, self.min_gain)
        without = [each for each in counted if each[0] > self.seen[best][0]]
        if len(without) < self.patience:
            return None
        past = [self.seen[best][1], *(each for _, each in without)]
        falling = all(better(one, other, rising) for one, other in pairwise(past))
        what = "got worse for" if falling else "did not get better for"
        return f"stopped at {now:,}: {name} {what} {validations(len(without))} ({past[0]:.4g} → {value:.4g})"

    def kept(self, runner: Any, rising: bool) -> str:
        """Which iteration was best, and where it is."""
        iteration = self.seen[best_of(self.seen, rising)][0]
        which = f"the best is iteration {iteration:,}" if iteration else "the best is what it began with"
        files = [hook.best_file for hook in runner.hooks if getattr(hook, "save_best", None) == self.metric]
        if files and (Path(runner.work_dir) / files[0]).is_file():
            return f"{which}, kept as {files[0]}"
        return f"{which}, and is not kept: default_hooks.checkpoint.save_best: {self.metric} would"


def best_of(seen: Seen, rising: bool, min_gain: float = 0.0) -> int:
    """The place of the last gain: the first measurement, or one that is better by more than `min_gain`."""
    best = 0
    for place, (_, value) in enumerate(seen):
        if better(value, seen[best][1], rising, min_gain):
            best = place
    return best


def validations(count: int) -> str:
    """`five validations`."""
    return f"{_WORDS[count] if count < len(_WORDS) else count} validation{'s' * (count != 1)}"

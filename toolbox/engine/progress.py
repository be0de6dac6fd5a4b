"""What a person sees while a network trains: losses, rates, speed and time left; the same numbers as JSON lines."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import Hook
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from toolbox.io.console import console, styled
from toolbox.io.files import NotWritten
from toolbox.io.progress import FIRST, forecast, hours
from toolbox.io.visible import visible

SURE = 3
"""Iterations that an early word on the whole needs: the first one allocates and compiles, and is not counted."""


class ProgressHook(Hook):
    """Averages the logs over `interval` iterations: a bar on a terminal, one plain line each otherwise.

    Where the first of these would be long in coming, a line before it says how long the whole will take.

    Values stay tensors on the device until they are shown, so that no iteration waits for the device. Each mean also
    goes to the visualizer, which writes `vis_data/scalars.json`, and to every hook that has `after_record`.
    """

    priority = "BELOW_NORMAL"

    def __init__(self, *, interval: int = 50) -> None:
        if interval < 1:
            raise ValueError(f"interval must be at least 1, got {interval}")
        self.interval = interval
        self.sums: dict[tuple[str, ...], list[Tensor]] = {}
        self.counts: dict[tuple[str, ...], int] = {}
        self.bar: Progress | None = None
        self.foretold = False
        """Whether how long it takes was said, or need not be."""
        self.silent = False
        """Something else shows the run: no line is printed."""

    def before_train(self, runner: Any) -> None:
        """Start the clock and, on a terminal, the bar."""
        self.start, self.first = time.perf_counter(), runner.iter
        self.warm = self.start
        if runner.rank == 0 and console.is_terminal:
            phase = TextColumn("{task.description}", style="bold", markup=False)
            losses = TextColumn("{task.fields[losses]}", markup=False)
            times = (TimeElapsedColumn(), TextColumn("eta"), TimeRemainingColumn())
            self.bar = Progress(phase, BarColumn(), MofNCompleteColumn(), *times, losses, console=console)
            self.task = self.bar.add_task("training", total=runner.max_iters, completed=runner.iter, losses="")
            self.bar.start()

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Add up; show when due."""
        self.add(outputs or {})
        done = batch_idx + 1
        if runner.rank == 0 and self.bar is not None:
            self.bar.update(self.task, completed=done, description=visible(runner.algorithm.phase_of(batch_idx).name))
        if done == self.first + 1:
            self.warm = time.perf_counter()
        if done % self.interval == 0 or done == runner.max_iters:
            self.foretold = True
            self.show(runner, done)
        elif not (self.foretold or self.silent or runner.rank):
            self.foretell(runner, done)

    def foretell(self, runner: Any, done: int) -> None:
        """Say how long the whole takes, once a few iterations have shown it and some seconds have passed in silence."""
        now = time.perf_counter()
        if done < self.first + SURE or now - self.start < FIRST:
            return
        self.foretold = True
        counted = done - self.first - 1
        phases = [each.until for each in runner.algorithm.parts.phases if each.until is not None]
        later = " (a later phase may take longer)" if any(done <= until < runner.max_iters for until in phases) else ""
        line = forecast(runner.train_loop.last - self.first, (now - self.warm) / counted)
        console.print(f"{line}{later}, and the validations", soft_wrap=True, markup=False, highlight=False)

    def add(self, logs: dict[str, Tensor]) -> None:
        """Add to the sums, in one call for each set of names (a critic's iterations log fewer than its generator's)."""
        names = tuple(logs)
        if names in self.sums:
            torch._foreach_add_(self.sums[names], list(logs.values()))  # pyright: ignore[reportPrivateImportUsage]
        elif logs:
            self.sums[names] = [value.clone() for value in logs.values()]
        self.counts[names] = self.counts.get(names, 0) + 1

    def means(self) -> dict[str, float]:
        """The mean of each value over ranks and the iterations that logged it; starts the sums afresh."""
        sums: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        for names, values in self.sums.items():
            for name, value in zip(names, values, strict=True):
                sums[name] = sums[name] + value if name in sums else value
                counts[name] = counts.get(name, 0) + self.counts[names]
        self.sums, self.counts = {}, {}
        if not sums:
            return {}
        means = torch.stack([value / counts[name] for name, value in sums.items()])
        if is_distributed():  # every rank logs the same names: they take the same turns
            all_reduce(means, "mean")
        return dict(zip(sums, means.tolist(), strict=True))

    def show(self, runner: Any, done: int) -> None:
        """Average, print and record."""
        means = self.means()
        if not means:
            return
        if runner.rank != 0:
            return
        seconds = (time.perf_counter() - self.start) / (done - self.first)
        rates = {f"lr/{name}": each[-1] for name, each in runner.optim_wrapper.get_lr().items()}
        record(runner, {**means, **rates, "time": seconds}, done)
        losses = "  ".join(f"{name} {value:.4g}" for name, value in means.items())
        if self.bar is not None:
            self.bar.update(self.task, losses=visible(losses))
        elif not self.silent:
            left = hours(seconds * (runner.max_iters - done))
            lrs = " ".join(f"{value:.1e}" for value in rates.values())
            phase = runner.algorithm.phase_of(done - 1).name
            progress = f"{phase} {done}/{runner.max_iters}  eta {left}  {seconds:.3f} s/it  lr {lrs}  {losses}"
            console.print(progress, soft_wrap=True)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Show what validation measured."""
        if runner.rank == 0 and metrics:
            record(runner, {f"val/{k}": v for k, v in metrics.items()}, runner.iter)
            shown = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items() if "/" not in name)
            if self.silent:
                return
            console.print(styled(("validation", "bold"), f" at {runner.iter}: {shown}"), soft_wrap=True)

    def release(self, runner: Any) -> None:
        """Put the bar away, however the training ended."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def record(runner: Any, values: dict[str, float], iteration: int) -> None:
    """Give values to the visualizer and to hooks. Raises NotWritten where the disk is full, or refuses."""
    try:
        runner.visualizer.add_scalars(values, step=iteration)
    except OSError as error:
        raise NotWritten(Path(runner.log_dir) / "vis_data", error) from error
    runner.call_hook("after_record", values=values, iteration=iteration)

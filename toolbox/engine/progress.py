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
from toolbox.io.progress import hours
from toolbox.io.visible import visible


class ProgressHook(Hook):
    """Averages the logs over `interval` iterations: a bar on a terminal, one plain line each otherwise.

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
        self.silent = False
        """Something else shows the run: no line is printed."""

    def before_train(self, runner: Any) -> None:
        """Start the clock and, on a terminal, the bar."""
        self.start, self.first = time.perf_counter(), runner.iter
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
        if done % self.interval == 0 or done == runner.max_iters:
            self.show(runner, done)

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

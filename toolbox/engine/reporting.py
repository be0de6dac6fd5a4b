"""Fills a run's report from its evaluations: one row for each phase of training, one for a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from toolbox.engine.costs import StepClock
from toolbox.engine.report import Report
from toolbox.engine.saving import CheckpointHook
from toolbox.io.files import read_json, replace_text
from toolbox.weights.checkpoint import checkpoints

COSTS = "costs.json"
"""What a training cost, in its work folder."""
BEGINNING = "before the first step"
"""The row of what a run began with."""


class ReportHook(Hook):
    """Keeps the last evaluation of each phase; prints and writes the table when the run ends."""

    priority = "LOWEST"

    def __init__(self) -> None:
        self.report = Report("")
        self.facts: dict[str, Any] = {}
        self.loaded: dict[str, Any] = {}
        self.clock = StepClock()

    def tests(self, checkpoint: str, data: str, planned: int) -> None:
        """Say of a test what it measures: which checkpoint, on which data ("test" or "validation").

        `planned` is how many iterations the config trains.
        """
        self.facts = {"checkpoint": checkpoint, "data": data, "final_iteration": planned}

    def before_run(self, runner: Any) -> None:
        """Name the report after the run."""
        self.report = Report(runner.experiment_name.rsplit("_", 3)[0])

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """A step begins."""
        self.clock.start()

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """A step has ended."""
        self.clock.stop()

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Save the rows so far, so that a resumed run's report has them too, and how long the run shall be."""
        checkpoint["report"] = self.report.rows
        checkpoint["meta"]["max_iters"] = runner.max_iters

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Go on with the rows of the interrupted run; remember which iteration a test measures."""
        self.loaded = checkpoint.get("meta") or {}
        if runner._resume and isinstance(checkpoint.get("report"), dict):
            self.report.rows = checkpoint["report"]

    def _protocols(self, evaluator: Any) -> None:
        known = [metric for metric in evaluator.metrics if hasattr(metric, "protocol")]
        self.report.protocols = {metric.name: metric.protocol for metric in known}
        self.report.rising = {metric.name: getattr(metric, "higher_is_better", True) for metric in known}

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Record the evaluation under the phase that has just run."""
        self._protocols(runner.val_evaluator)
        if runner.iter == 0:
            self.report.add(BEGINNING, metrics or {})
            return
        self._replace(runner.algorithm.phase_of(runner.iter - 1).name, runner.iter, metrics or {})
        best = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook) and hook.save_best), None)
        if BEGINNING in self.report.rows and best is not None and best.best_at == runner.iter:
            self._replace(f"best by {best.save_best}", runner.iter, metrics or {})

    def _replace(self, name: str, iteration: int, metrics: dict[str, float]) -> None:
        """Write a row in the place of an earlier one of that name."""
        for earlier in [row for row in self.report.rows if row.startswith(f"{name} (")]:
            del self.report.rows[earlier]
        self.report.add(f"{name} ({iteration} iterations)", metrics)

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Record the test."""
        self._protocols(runner.test_evaluator)
        self.report.add("test", metrics or {})

    def after_run(self, runner: Any) -> None:
        """Print and write the table; of a training, what it cost too."""
        if runner.rank != 0:
            return
        if not self.facts:
            self.count_costs(runner)
        if self.report.rows:
            ema = runner.algorithm.ema
            weights = "as trained" if ema is None else f"moving average, decay {ema:g}"
            self.report.facts |= {"iterations": runner.iter, "seed": runner.seed, "weights": weights}
            if self.facts:
                self.name_checkpoint()
            elif reason := runner.train_loop.stopped_because:
                self.report.facts["stopped"] = reason
                self.report.notes.append(reason)
            self.report.notes += [
                f"{name} is infinite: a picture comes out exactly, as one of a single colour does; leave such ones out"
                for name in self.report.infinite()
            ]
            self.report.print()
            self.report.write(Path(runner.work_dir))

    def count_costs(self, runner: Any) -> None:
        """Report a training's costs and the steps it skipped, and write them as `costs.json`.

        A run that was resumed when all steps were done keeps what its earlier part wrote.
        """
        names = runner.optimizers.keys()  # mmengine's dict of optimizers iterates over nothing
        skipped = {name: runner.optimizers[name].count_skipped()[0] for name in names}
        found = {"iterations": runner.iter, "costs": self.clock.facts(), "skipped_steps": skipped}
        path = Path(runner.work_dir) / COSTS
        if path.is_file() and not self.clock.seconds:
            found["costs"] = read_json(path).get("costs", {})
        self.report.facts = found
        replace_text(path, json.dumps(found) + "\n")

    def name_checkpoint(self) -> None:
        """Report the iteration that a test measured, and note visibly that it is not the run's last one, if so.

        The last is what the config plans, what the checkpoint's own run planned, or the newest in its folder.
        """
        iteration = self.loaded.get("iter")
        newest = [int(path.stem.removeprefix("iter_")) for path in checkpoints(Path(self.facts["checkpoint"]).parent)]
        last = max(self.facts["final_iteration"], self.loaded.get("max_iters") or 0, *newest[:1])
        final = None if iteration is None else iteration >= last  # somebody's weights have no iteration
        self.report.facts |= {**self.facts, "iterations": iteration, "final_iteration": last, "final": final}
        if final is False:
            self.report.notes.append(f"iteration {iteration} of {last}: not the final checkpoint")
        if self.facts["data"] == "validation" and Path(self.facts["checkpoint"]).name.startswith("best_"):
            self.report.notes.append("chosen on these very images by save_best: measured on them it looks too good")

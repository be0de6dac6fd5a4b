"""Fills a run's report from its evaluations: one row for each phase of training, one for a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from toolbox.report import Report


class ReportHook(Hook):
    """Keeps the last evaluation of each phase; prints and writes the table when the run ends."""

    priority = "LOWEST"

    def __init__(self) -> None:
        self.report = Report("")

    def before_run(self, runner: Any) -> None:
        """Name the report after the run."""
        self.report = Report(runner.experiment_name.rsplit("_", 3)[0])

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Save the rows so far, so that a resumed run's report has them too."""
        checkpoint["report"] = self.report.rows

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Go on with the rows of the interrupted run."""
        if runner._resume and isinstance(checkpoint.get("report"), dict):
            self.report.rows = checkpoint["report"]

    def _protocols(self, evaluator: Any) -> None:
        self.report.protocols = {m.name: m.protocol for m in evaluator.metrics if hasattr(m, "protocol")}

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Record the evaluation under the phase that has just run."""
        name = runner.algorithm.phase_of(runner.iter - 1).name
        self._protocols(runner.val_evaluator)
        row = f"{name} ({runner.iter} iterations)"
        for earlier in [r for r in self.report.rows if r.startswith(f"{name} (")]:
            del self.report.rows[earlier]
        self.report.add(row, metrics or {})

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Record the test."""
        self._protocols(runner.test_evaluator)
        self.report.add("test", metrics or {})

    def after_run(self, runner: Any) -> None:
        """Print and write the table."""
        if runner.rank == 0 and self.report.rows:
            self.report.facts = {"iterations": runner.iter, "seed": runner.seed}
            self.report.print()
            self.report.write(Path(runner.work_dir))

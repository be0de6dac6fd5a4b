"""Hooks for tests: one writes down which outputs an algorithm makes, one looks at samples without a word of which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from toolbox import Register, hookimpl


class Counting(Hook):
    """A line in `made_RANK.txt` of the run's folder for each output of each batch: its name."""

    def before_run(self, runner: Any) -> None:
        made = Path(runner.work_dir) / f"made_{runner.rank}.txt"
        made.touch()
        algorithm = runner.algorithm
        predict = algorithm.predict

        def counted(images: Any, output: str, chosen: Any) -> Any:
            with open(made, "a") as file:
                file.write(f"{output}\n")
            return predict(images, output, chosen)

        algorithm.predict = counted


class Curious(Hook):
    """Sees every sample."""

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.seen = outputs

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.seen = outputs


@hookimpl
def register_hooks(register: Register) -> None:
    register("Counting", Counting)
    register("Curious", Curious)

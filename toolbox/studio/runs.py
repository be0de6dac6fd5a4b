"""One training as the page shows it: state, speed, the time left, and what can be done with it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolbox.benchmark.run_files import Curves, config_of, health, number, rows_of, section
from toolbox.io.sheets import sheets
from toolbox.studio.holders import Holder, holder_of
from toolbox.studio.trainings import Trainings


@dataclass
class Run:
    """One training's folder."""

    id: str
    name: str
    folder: Path
    curves: Curves

    def shown(self, trainings: Trainings) -> dict[str, Any]:
        """All that the page shows of it, without the curves' points."""
        config, holder = config_of(self.folder), holder_of(self.folder)
        curves = self.curves.refresh()
        planned = number(config, "train_cfg", "max_iters")
        seconds = curves.seconds
        left = None if planned is None or seconds is None else max(0, planned - curves.last) * seconds
        batch = number(config, "train_dataloader", "batch_size")
        state = "running" if trainings.goes(self.folder) else self.state(holder, planned)
        return {
            "id": self.id, "name": self.name, "state": state, "iteration": curves.last,
            "planned": planned, "seconds": seconds, "left": left if state == "running" else None, "batch": batch,
            "algorithm": str(section(config, "model").get("type", "")), "seed": config.get("seed", 0),
            "curves": sorted(curves.curves), "samples": [*sheets(self.folder)], "health": health(self.folder),
            "rows": rows_of(self.folder), "resume": self.resume(), "report": (self.folder / "report.html").is_file(),
            **trainings.shown(self.folder, holder, state, config),
        }  # fmt: skip

    def brief(self) -> dict[str, Any]:
        """What a list of runs shows."""
        return {"id": self.id, "name": self.name, "running": holder_of(self.folder) is not None}

    def now(self) -> tuple[str, dict[str, Any]]:
        """Its state, and its config."""
        config = config_of(self.folder)
        self.curves.refresh()
        return self.state(holder_of(self.folder), number(config, "train_cfg", "max_iters")), config

    def state(self, holder: Holder | None, planned: int | None) -> str:
        """`running`, `done` or `stopped`."""
        if holder:
            return "running"
        return "done" if planned is not None and self.curves.last >= planned else "stopped"

    def resume(self) -> str:
        """The command that goes on where the run stopped, in the folder that the studio was started in."""
        return shlex.join(["gan-toolbox", "train", f"{self.name}/config.yaml", "--work-dir", self.name, "--resume"])

"""Tiny grids for tests, run as their users run them, and what came of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from forked import standing_in
from runs import command, sr_config, write_config

FAULTS = Path(__file__).with_name("cell_faults.py")


def tiny_grid(folder: Path, axes: dict[str, Any], **settings: Any) -> Path:
    """A grid over a small SRGAN of pictures in `folder`."""
    config = sr_config(folder)
    del config["work_dir"]
    write_config(config, folder / "run.yaml")
    grid = {"base": "run.yaml", "axes": axes, "budget": {"iterations": 6}, "sizes": [16], "samples": 1, **settings}
    return write_config(grid, folder / "grid.yaml")


VARIANTS = {
    "Vanilla": {"model.variant": {"type": "Vanilla"}},
    "LSGAN": {"model.variant": {"type": "LSGAN"}},
    "hinge": {"model.variant": {"type": "SpectralNorm", "base": {"type": "Hinge"}}},
    "WGANGP": {"model.variant": {"type": "WGANGP"}},
}
DISCRIMINATORS = {
    "patch": {},
    "wide": {"model.discriminator.width": 12},
    "deep": {"model.discriminator.layers": 2},
}


def arguments(grid: Path, out: Path, *more: object) -> list[str]:
    """The command that runs a benchmark."""
    return [sys.executable, "-m", "toolbox.cli", "benchmark", str(grid), "-o", str(out), *map(str, more)]


def benchmarked(grid: Path, out: Path, *more: object) -> int:
    """Run a benchmark in this process, and its runs in forked ones; returns the exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toolbox.benchmark.launch.subprocess", standing_in())
        return command("benchmark", grid, "-o", out, *more)


def environment() -> dict[str, str]:
    """One thread for the benchmark itself."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def run_killed(command: list[str], after: list[float]) -> int:
    """Run a command, killing it with SIGKILL after each of some seconds, and then to its end; returns its exit code."""
    for seconds in after:
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            time.sleep(1)  # its runs notice that it is gone
    return subprocess.run(command, env=environment(), check=False, stdout=subprocess.DEVNULL).returncode


def results(out: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """By cell and seed: the metrics and the hash of the weights; costs differ from run to run."""
    report = json.loads((out / "report.json").read_text())
    return {
        (run["cell"], run["seed"]): {"metrics": run["metrics"], "weights": run["weights"], "key": key}
        for key, run in report["runs"].items()
        if run["state"] == "done"
    }


def trainings(out: Path) -> dict[str, int]:
    """How often each run was begun at its beginning, by the folders that mmengine makes for each part of a run."""
    return {run.name: len(list(run.glob("train/*/vis_data"))) for run in (out / "runs").iterdir()}


def report(out: Path) -> dict[str, Any]:
    """The report's content."""
    return json.loads((out / "report.json").read_text())


def written(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text())

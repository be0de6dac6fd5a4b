"""Curves go where the lines of docs/training.md send them, and what cannot begin there is one line."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

from runs import command, refused, sr_config, write_config
from toolbox.engine.runner import ToolboxRunner
from toolbox.engine.trackio_backend import TrackioVisBackend

PAGE = (Path(__file__).parents[2] / "docs/training.md").read_text(encoding="utf-8")
LINES = {package: line for line, package in re.findall(r"^(visualizer: .*?)  # pip install (\w+)$", PAGE, re.MULTILINE)}
"""A line of the config for each package."""


def run_with(visualizer: Any, folder: Path) -> Path:
    """The file of a config whose curves go there."""
    return write_config({**sr_config(folder), "visualizer": visualizer}, folder / "run.yaml")


def losses(folder: Path) -> dict[int, float]:
    """What `LocalVisBackend` kept of a loss, by iteration."""
    (file,) = folder.glob("run/*/vis_data/scalars.json")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return {row["step"]: row["g/pixel"] for row in rows if "g/pixel" in row}


def kept_by(package: str, folder: Path) -> dict[int, float] | None:
    """What a package kept of the same; None where its file is for itself alone, and there."""
    if package == "mlflow":
        rows = sqlite3.connect(folder / "mlflow.db").execute("select step, value from metrics where key = 'g/pixel'")
        return dict(rows.fetchall())
    if package == "trackio":
        rows = sqlite3.connect(folder / "trackio/gan.db").execute("select step, metrics from metrics").fetchall()
        every = {step: json.loads(found) for step, found in rows}
        return {step: found["g/pixel"] for step, found in every.items() if "g/pixel" in found}
    (file,) = folder.rglob({"tensorboard": "events.out.tfevents*", "wandb": "run-*.wandb"}[package])
    assert b"g/pixel" in file.read_bytes()
    return None


def test_the_page_names_four() -> None:
    assert set(LINES) == {"tensorboard", "wandb", "mlflow", "trackio"}


@pytest.mark.parametrize("package", [name for name in LINES if find_spec(name)])
def test_a_line_of_the_page_sends_curves_there(package: str, tmp_path: Path) -> None:
    file = run_with(yaml.safe_load(LINES[package])["visualizer"], tmp_path)
    environment = {**os.environ, "WANDB_MODE": "offline", "TRACKIO_DIR": str(tmp_path / "trackio")}
    done = subprocess.run(
        [sys.executable, "-m", "toolbox.cli", "train", str(file)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = kept_by(package, tmp_path)
    assert found is None or found == pytest.approx(losses(tmp_path))


class Logged:
    """trackio's run."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, Any]]] = []
        self.finished = 0

    def log(self, values: dict[str, Any], step: int) -> None:
        """Keep it."""
        self.rows.append((step, values))

    def finish(self) -> None:
        """Count it."""
        self.finished += 1


@pytest.fixture
def trackio(monkeypatch: pytest.MonkeyPatch) -> Logged:
    """A package of that name which keeps what it is told."""
    logged, module = Logged(), ModuleType("trackio")

    def init(**settings: Any) -> Logged:
        assert settings == {"project": "gan", "embed": False, "name": "one"}
        return logged

    module.init, module.Image = init, lambda image: ("image", image.shape)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trackio", module)
    return logged


def test_trackio_gets_every_iteration_and_is_finished(trackio: Logged, tmp_path: Path) -> None:
    backend = {"type": "TrackioVisBackend", "project": "gan", "init_kwargs": {"name": "one"}}
    file = run_with({"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}, backend]}, tmp_path)
    assert command("train", file) == 0
    assert {step: row["g/pixel"] for step, row in trackio.rows if "g/pixel" in row} == losses(tmp_path)
    assert all("time" not in row and "step" not in row for _, row in trackio.rows), "names that it keeps for its own"
    assert any("val/psnr" in row for _, row in trackio.rows)


def test_trackio_gets_pictures(trackio: Logged, tmp_path: Path) -> None:
    backend = TrackioVisBackend(str(tmp_path), project="gan", init_kwargs={"name": "one"})
    backend.add_image("sample", np.zeros((2, 3, 3), np.uint8), step=4)
    backend.add_scalar("loss", np.float32(0.5), step=4)
    backend.close()
    backend.close()
    assert trackio.rows == [(4, {"sample": ("image", (2, 3, 3))}), (4, {"loss": 0.5})] and trackio.finished == 1


def test_what_cannot_begin_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = ModuleType("trackio")

    def init(**settings: Any) -> None:
        raise PermissionError("no key;\n  log in")

    module.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trackio", module)
    file = run_with({"type": "Visualizer", "vis_backends": [{"type": "TrackioVisBackend"}]}, tmp_path)
    assert "visualizer: TrackioVisBackend: no key; log in" in refused(capsys, "train", file)
    assert not list(tmp_path.rglob("*.pth"))


@pytest.mark.parametrize("rank", [0, 1])
def test_of_several_processes_the_first_alone_begins_a_run_elsewhere(
    rank: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun: list[str] = []
    module = ModuleType("trackio")
    module.init = lambda **settings: begun.append(settings["project"])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trackio", module)
    runner = object.__new__(ToolboxRunner)
    runner._rank, runner._experiment_name, runner._log_dir = rank, f"{tmp_path.name}{rank}", str(tmp_path)
    runner.build_visualizer({"type": "Visualizer", "vis_backends": [{"type": "TrackioVisBackend"}]})
    assert begun == ["gan-toolbox"][rank:]

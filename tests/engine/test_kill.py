"""SIGKILL at random moments costs nothing but time."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
import torch
from hard_runs import hard_style
from kill_run import finish, main, start

from runs import command, sr_config, weights, write_config
from toolbox.weights.checkpoint import checkpoints


def test_a_run_killed_five_times_ends_with_the_undisturbed_runs_weights(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = main(5, "SRGAN", seed=0), capsys.readouterr().out
    assert code == 0, said
    assert "kill 5 of 5" in said and "0 tensors differ; left over: nothing" in said


def test_sigterm_saves_stops_and_resumes_exactly(tmp_path: Path) -> None:
    config = hard_style(tmp_path)
    config["train_cfg"] = {"max_iters": 60, "val_interval": 1000}
    config["default_hooks"] = {"checkpoint": {"interval": 10, "max_keep_ckpts": 1}}
    file = write_config(config, tmp_path / "run.yaml")
    with start(file, tmp_path / "run") as process:
        while not checkpoints(tmp_path / "run"):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
    assert process.returncode == 1
    line = errors.strip().splitlines()[-1]
    assert line.startswith("failed: stopped by SIGTERM after iteration ") and line.endswith("--resume continues")
    stopped = int(line.split()[6].rstrip(";"))
    assert [path.name for path in checkpoints(tmp_path / "run")] == [f"iter_{stopped}.pth"]
    for work_dir in ("run", "whole"):
        finish(start(file, tmp_path / work_dir))
    whole, resumed = (weights(tmp_path / run / "iter_60.pth") for run in ("whole", "run"))
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_a_folder_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    (tmp_path / "taken").write_text("a file, not a folder")
    assert command("train", file, "--work-dir", tmp_path / "taken") == 2
    if os.geteuid() != 0:  # root may write anywhere
        (tmp_path / "closed").mkdir(mode=0o500)
        assert command("train", file, "--work-dir", tmp_path / "closed") == 2

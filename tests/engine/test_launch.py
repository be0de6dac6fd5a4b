"""`torchrun … --launcher pytorch` on CPU: two processes train, save, resume and measure like one."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from runs import command, pictures, sr_config, weights, write_config
from two_ranks import on_two_ranks, torchrun


def trained(arguments: tuple[object, ...], folder: Path, rank: int) -> dict[str, Any]:
    """Train in one of two processes, as torchrun would have it."""
    assert command("train", *arguments, "--launcher", "pytorch") == 0
    return {}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run with the penalty through DDP, and seven validation images for two ranks."""
    folder = tmp_path_factory.mktemp("launch")
    config = sr_config(folder, variant={"type": "WGANGP", "d_steps": 2})
    config["val_dataloader"]["dataset"] = {
        **config["val_dataloader"]["dataset"], "root": str(pictures(folder / "seven", 7)),
    }  # fmt: skip
    return write_config(config, folder / "run.yaml"), config


def test_two_processes_resume_and_measure_like_one(config: tuple[Path, dict[str, Any]]) -> None:
    file, content = config
    run = Path(content["work_dir"])
    torchrun(file, "--cfg-options", "train_cfg.max_iters=4")
    saved = weights(run / "iter_4.pth")
    assert not any(".module." in name for name in saved), "a wrapper's prefix got into the checkpoint"
    on_two_ranks(partial(trained, (file, "--resume")), run.parent)
    assert (run / "iter_6.pth").is_file()
    report = json.loads((run / "report.json").read_text())
    alone = run.parent / "alone"
    assert command("test", file, run / "iter_6.pth", "--work-dir", alone) == 0
    single = json.loads((alone / "report.json").read_text())["rows"]["test"]
    assert report["rows"]["train (6 iterations)"]["psnr"] == pytest.approx(single["psnr"], abs=1e-6)


def test_a_checkpoint_of_two_processes_continues_in_one(config: tuple[Path, dict[str, Any]]) -> None:
    file, content = config
    run = Path(content["work_dir"])
    before = weights(run / "iter_6.pth")
    assert command("train", file, "--resume", "--cfg-options", "train_cfg.max_iters=8") == 0
    after = weights(run / "iter_8.pth")
    assert before.keys() == after.keys()
    assert any(not torch.equal(value, after[name]) for name, value in before.items())


def test_a_run_of_which_a_process_died_restarts_resumes_by_itself_and_ends_with_the_same_weights(
    tmp_path: Path,
) -> None:
    config = sr_config(tmp_path, variant={"type": "WGANGP"})
    config["custom_hooks"] = [{"type": "DyingRank"}]
    file = write_config(config, tmp_path / "run.yaml")
    plugin = ("-p", Path(__file__).with_name("dying_rank_plugin.py"))
    torchrun(file, *plugin, "--work-dir", tmp_path / "died", restarts=1)
    whole = (file, *plugin, "--work-dir", tmp_path / "whole", "--cfg-options", "custom_hooks=[]")
    on_two_ranks(partial(trained, whole), tmp_path)
    wanted, died = (weights(tmp_path / run / "iter_6.pth") for run in ("whole", "died"))
    assert all(torch.equal(value, died[name]) for name, value in wanted.items())
    log = "".join(file.read_text() for file in (tmp_path / "died").rglob("*.log"))
    assert "resumed" in log and "at iteration 4" in log

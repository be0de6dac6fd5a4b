"""A run's table says what its numbers are worth, where a mean is infinite too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from runs import command, sr_config, write_config
from toolbox.engine.report import Report
from toolbox.io.images import write_image


def written(folder: Path, **rows: dict[str, float]) -> str:
    report = Report("run")
    for name, values in rows.items():
        report.add(name, values)
    report.write(folder)
    return (folder / "report.md").read_text()


def test_a_gain_is_told_where_there_is_one(tmp_path: Path) -> None:
    inf = float("inf")
    text = written(tmp_path, train={"psnr": inf, "psnr/do_nothing": inf, "ssim": 0.9, "ssim/do_nothing": 0.8})
    assert "| train | inf | 0.900 (+0.10) |" in text and "nan" not in text


def test_a_picture_that_comes_out_exactly_is_named_as_the_reason(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    write_image(tmp_path / "flat" / "0.png", np.full((48, 48, 3), 90, np.uint8))
    config["val_dataloader"]["dataset"]["root"] = str(tmp_path / "flat")
    config["train_cfg"] = {"max_iters": 1, "val_interval": 1}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    (note,) = report["notes"]
    assert note.startswith("psnr is infinite: a picture comes out exactly")

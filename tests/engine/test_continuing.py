"""A resumed run keeps its model: another one is refused with the keys, or takes the weights alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runs import command, refused, sr_config, weights, write_config
from toolbox.engine.continuing import differences


def test_a_changed_variant_or_loss_or_network_is_refused_by_its_key_and_weights_alone_are_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = sr_config(tmp_path)
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file, "--stop-at", 2) == 0
    before = weights(tmp_path / "run" / "iter_2.pth")
    changes: dict[str, Any] = {
        "model.variant.type=Hinge": "model.variant.type was 'LSGAN' and is 'Hinge'",
        "model.losses.pixel.weight=3.0": "model.losses.pixel.weight was left out and is 3.0",
        "model.generator.width=12": "model.generator.width was 8 and is 12",
    }
    for change, told in changes.items():
        line = refused(capsys, "train", file, "--resume", "--cfg-options", change)
        assert told in line and "--resume weights" in line and "iter_2.pth" in line
    options = ["model.variant.type=Hinge", "model.losses.pixel.weight=3.0", "train_cfg.max_iters=1"]
    options += ["optim_wrapper.generator.optimizer.lr=0.0"]
    assert command("train", file, "--resume", "weights", "--cfg-options", *options) == 0
    after = weights(tmp_path / "run" / "iter_1.pth")
    averages = {name: value for name, value in before.items() if name.startswith("generator_ema.")}
    assert averages and all((after[name.replace("_ema", "")] == value).all() for name, value in averages.items())
    assert refused(capsys, "train", file, "--resume", "weights", "--work-dir", tmp_path / "no").endswith(
        "to take them from"
    )


def test_data_lengths_and_folders_may_change_and_data_are_noted(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file, "--stop-at", 2) == 0
    options = ["train_cfg.max_iters=4", "train_dataloader.dataset.cache=true", "model.channels_last=true"]
    options += ["train_dataloader.dataset.transforms.0.size=24"]
    assert command("train", file, "--resume", "--cfg-options", *options) == 0
    (log,) = [text for text in map(Path.read_text, (tmp_path / "run").rglob("*.log")) if "resumed" in text]
    assert "train_dataloader.dataset.cache was left out and is true from here on" in log
    assert "train_dataloader.dataset.transforms.0.size was 32 and is 24 from here on" in log


def test_differences_are_named_by_their_keys() -> None:
    before, now = {"a": [{"b": 1}, 2], "c": 3}, {"a": [{"b": 2}, 2], "d": [1]}
    assert dict(differences(before, now, "m")) == {
        "m.a.0.b": ("1", "2"), "m.c": ("3", "left out"), "m.d": ("left out", "[1]"),
    }  # fmt: skip

"""A setting that is changed at --resume takes effect, is named in one line, and leaves everything else as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from runs import command, sr_config, weights, write_config
from toolbox.engine.resuming import changed_settings
from toolbox.engine.schedules import SCALED
from toolbox.weights.checkpoint import read_checkpoint, write_checkpoint


def trained(folder: Path, **changes: Any) -> tuple[dict[str, Any], Path]:
    """A run of six iterations; its config and file."""
    config = {**sr_config(folder), **changes}
    config["train_cfg"]["val_interval"] = 100
    file = write_config(config, folder / "run.yaml")
    assert command("train", file) == 0
    return config, file


def resumed(file: Path, *options: str, iters: int = 10) -> tuple[dict[str, Any], str]:
    """The checkpoint of the run, resumed with other options; and what its log says of changed settings."""
    folder = file.parent / "run"
    assert command("train", file, "--resume", "--cfg-options", f"train_cfg.max_iters={iters}", *options) == 0
    logs = "".join(path.read_text() for path in folder.glob("*/*.log"))
    lines = [line for line in logs.splitlines() if "→" in line]
    assert len(lines) <= 1
    return read_checkpoint(folder / f"iter_{iters}.pth"), "".join(lines)


def group(checkpoint: dict[str, Any], name: str = "generator") -> dict[str, Any]:
    return checkpoint["optimizer"][name]["param_groups"][0]


@pytest.mark.parametrize("schedule", [None, [{"type": "MultiStepLR", "milestones": [1000]}]])
def test_a_new_rate_runs_from_here_on_with_a_schedule_and_without(schedule: Any, tmp_path: Path) -> None:
    changes = {"param_scheduler": {"generator": schedule} if schedule else {}}
    _, file = trained(tmp_path, **changes)
    name = "optim_wrapper.generator.optimizer"
    found, said = resumed(file, f"{name}.lr=5e-4", f"{name}.betas=[0.9, 0.99]", f"{name}.weight_decay=0.01")
    assert (group(found)["lr"], tuple(group(found)["betas"]), group(found)["weight_decay"]) == (5e-4, (0.9, 0.99), 0.01)
    assert (group(found, "discriminator")["lr"], group(found, "discriminator")["betas"]) == (1e-3, (0.5, 0.99))
    assert f"{name}.lr: 0.001 → 0.0005" in said and f"{name}.betas: [0.5, 0.99] → [0.9, 0.99]" in said
    assert f"{name}.weight_decay: unset → 0.01" in said and said.endswith(", from iteration 6 on")
    told = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["optim_wrapper"]["generator"]["optimizer"]
    assert told["lr"] == 5e-4
    assert found["optimizer"]["generator"]["state"][0]["step"] == 10  # the moments went on


def test_a_schedule_is_replayed_under_the_new_rate(tmp_path: Path) -> None:
    _, file = trained(tmp_path)
    found, said = resumed(file, "optim_wrapper.generator.optimizer.lr=1e-2")
    # LinearLR from 1 to 0.1 over 10 iterations: nine steps of 0.1, the tenth has no effect
    assert group(found)["lr"] == pytest.approx(1e-2 * 0.1) and group(found)["initial_lr"] == 1e-2
    assert "param_scheduler.generator.0.end: 6 → 10" in said


def test_what_is_not_changed_goes_on_bit_for_bit(tmp_path: Path) -> None:
    config, file = trained(tmp_path)
    _, said = resumed(file, "train_cfg.max_iters=8", "param_scheduler.generator.0.end=6", iters=8)
    assert said == ""
    whole = write_config({**config, "work_dir": str(tmp_path / "whole")}, tmp_path / "whole.yaml")
    assert command("train", whole, "--cfg-options", "train_cfg.max_iters=8", "param_scheduler.generator.0.end=6") == 0
    expected, made = weights(tmp_path / "whole" / "iter_8.pth"), weights(tmp_path / "run" / "iter_8.pth")
    assert all(torch.equal(value, made[name]) for name, value in expected.items())


def test_another_optimizer_begins_with_moments_of_its_own(tmp_path: Path) -> None:
    config, file = trained(tmp_path)
    config["optim_wrapper"]["generator"] = {"optimizer": {"type": "SGD", "lr": 1e-3, "momentum": 0.9}}
    write_config(config, file)
    found, said = resumed(file, "optim_wrapper.discriminator.optimizer.amsgrad=true")
    assert set(found["optimizer"]["generator"]["state"][0]) == {"momentum_buffer"}
    assert found["optimizer"]["discriminator"]["state"][0]["step"] == 4
    assert "optimizer.type: Adam → SGD" in said and "the generator's moments begin anew" in said


def test_rates_that_first_aid_has_scaled_stay_scaled_under_a_new_rate(tmp_path: Path) -> None:
    _, file = trained(tmp_path, param_scheduler={})
    path = tmp_path / "run" / "iter_6.pth"
    content = read_checkpoint(path)
    group(content).update({"lr": 5e-4, SCALED: 0.5})
    write_checkpoint(content, path)
    found, said = resumed(file, "optim_wrapper.generator.optimizer.lr=1e-2")
    assert (group(found)["lr"], group(found)[SCALED]) == (5e-3, 0.5)
    assert "the generator's rates stay scaled by 0.5" in said


def test_changed_settings_name_every_setting_and_its_place() -> None:
    was = {"optim_wrapper": {"optimizer": {"type": "Adam", "lr": 1e-4, "betas": (0.9, 0.99)}}, "param_scheduler": []}
    now = {"optim_wrapper": {"optimizer": {"type": "Adam", "lr": 1e-4, "betas": [0.9, 0.99]}, "clip_grad": None},
           "param_scheduler": [{"type": "StepLR", "step_size": 3}]}  # fmt: skip
    assert changed_settings("generator", was, was | {"param_scheduler": None}) == []
    assert changed_settings("generator", was, now) == [
        "param_scheduler.generator.0.type: unset → StepLR", "param_scheduler.generator.0.step_size: unset → 3",
    ]  # fmt: skip

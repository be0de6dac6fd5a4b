"""An interrupted run, resumed, ends with the very weights of the uninterrupted one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from runs import command, sr_config, style_config, weights, write_config

SETTINGS: dict[str, Any] = {
    "sr-lsgan": lambda folder: sr_config(folder),
    "sr-wgan-gp": lambda folder: sr_config(folder, variant={"type": "WGANGP", "d_steps": 2}),
    "sr-spectral-norm": lambda folder: sr_config(folder, variant={"type": "SpectralNorm", "base": {"type": "Vanilla"}}),
    "sr-phases": lambda folder: sr_config(
        folder, phases=[{"name": "L1", "until": 3, "adversaries": []}, {"name": "both"}]
    ),
    "style-pool": lambda folder: style_config(folder),
}


def uninterrupted(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    assert command("train", write_config({**config, "work_dir": str(folder / "whole")}, folder / "whole.yaml")) == 0
    return weights(folder / "whole" / "iter_6.pth")


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_run_is_bit_exact(setting: str, workers: int, tmp_path: Path) -> None:
    if workers and setting not in ("sr-wgan-gp", "style-pool"):
        workers = 1  # the order of data is what workers could change; two settings try it with two
    config = SETTINGS[setting](tmp_path)
    config["train_dataloader"]["num_workers"] = workers
    whole = uninterrupted(tmp_path, config)
    file = write_config(config, tmp_path / "run.yaml")
    torch.manual_seed(123)  # whatever came before must not matter
    # the same config, killed after iteration 4: its checkpoint of iteration 4 is what a crash leaves
    assert command("train", file) == 0
    for later in (tmp_path / "run" / "iter_6.pth", tmp_path / "run" / "last_checkpoint"):
        later.unlink()
    torch.manual_seed(456)
    assert command("train", file, "--resume") == 0
    resumed = weights(tmp_path / "run" / "iter_6.pth")
    assert whole.keys() == resumed.keys()
    assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == []


def test_equal_seeds_repeat_a_run_and_others_do_not(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    first = uninterrupted(tmp_path, config)
    second = uninterrupted(tmp_path, config)
    other = uninterrupted(tmp_path, {**config, "randomness": {"seed": 1}})
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_validation_does_not_change_training(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    often = uninterrupted(tmp_path, {**config, "train_cfg": {"max_iters": 6, "val_interval": 1}})
    assert all(torch.equal(value, often[name]) for name, value in uninterrupted(tmp_path, config).items())


def test_a_second_stage_starts_from_the_weights_of_the_first(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    first = {**config, "model": {k: v for k, v in config["model"].items() if k not in ("discriminator", "variant")}}
    first["work_dir"] = str(tmp_path / "first")
    first["optim_wrapper"] = {"generator": config["optim_wrapper"]["generator"]}
    assert command("train", write_config(first, tmp_path / "first.yaml")) == 0
    start = tmp_path / "first" / "iter_6.pth"
    second = {**config, "load_from": str(start)}
    for group in second["optim_wrapper"].values():
        group["optimizer"] = {"type": "SGD", "lr": 0.0}
    assert command("train", write_config(second, tmp_path / "second.yaml")) == 0
    loaded, made = weights(start), weights(tmp_path / "run" / "iter_6.pth")
    averages = {name: value for name, value in loaded.items() if name.startswith("generator_ema.")}
    assert averages and all(torch.equal(value, made[name.replace("_ema", "")]) for name, value in averages.items())
    assert any(name.startswith("discriminator.") for name in made)

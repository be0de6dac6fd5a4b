"""Tiny real runs for tests: a folder of small pictures, a YAML, and the command line in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from toolbox.cli import run
from toolbox.io.images import write_image


def pictures(folder: Path, count: int = 4, size: int = 48, seed: int = 0) -> Path:
    """Write `count` smooth random pictures."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        coarse = rng.integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8)
        write_image(folder / f"{number:02}.png", coarse.repeat(8, 0).repeat(8, 1))
    return folder


def sr_config(folder: Path, **model: Any) -> dict[str, Any]:
    """A small SRGAN config over pictures in `folder`/photos."""
    photos = str(pictures(folder / "photos"))
    adam = {"type": "Adam", "lr": 1e-3, "betas": [0.5, 0.99]}
    dataset = {"type": "ImageFolder", "root": photos, "key": "hr"}
    return {
        "model": {
            "type": "SRGAN",
            "degradation": {"type": "BicubicDegradation", "scale": 2},
            "generator": {"type": "ResidualCNN", "width": 8, "blocks": 1, "scale": 2},
            "discriminator": {"type": "PatchDiscriminator", "width": 8, "layers": 1, "norm": "none"},
            "variant": {"type": "LSGAN"},
            "losses": {"pixel": {"type": "L1Loss"}},
            "ema": 0.9,
            **model,
        },
        "train_dataloader": {
            "batch_size": 2,
            "dataset": {**dataset, "transforms": [{"type": "RandomCrop", "size": 32}, {"type": "RandomFlip"}]},
        },
        "train_cfg": {"max_iters": 6, "val_interval": 3},
        "optim_wrapper": {"generator": {"optimizer": adam}, "discriminator": {"optimizer": adam}},
        "param_scheduler": {"generator": [{"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.1}]},
        "val_dataloader": {"dataset": dataset},
        "val_evaluator": [{"type": "PSNR", "prediction": "sr", "reference": "hr", "channel": "Y", "crop": 2}],
        "default_hooks": {"checkpoint": {"interval": 2}, "logger": {"interval": 2}},
        "work_dir": str(folder / "run"),
    }


def style_config(folder: Path, **model: Any) -> dict[str, Any]:
    """A small CycleGAN config over two folders of pictures."""
    config = sr_config(folder)
    generator = {"type": "ResidualCNN", "width": 8, "blocks": 1}
    discriminator = {"type": "PatchDiscriminator", "width": 8, "layers": 1, "norm": "none", "pool": 3}
    root_a, root_b = str(pictures(folder / "a", 5, seed=1)), str(pictures(folder / "b", 3, seed=2))
    config["model"] = {
        "type": "CycleGAN",
        "generator_ab": generator,
        "generator_ba": generator,
        "discriminator_a": discriminator,
        "discriminator_b": discriminator,
        "variant": {"type": "LSGAN"},
        "losses": {"cycle": {"type": "L1Loss", "weight": 20.0}, "identity": {"type": "L1Loss", "weight": 10.0}},
        "ema": 0.9,
        **model,
    }
    config["train_dataloader"]["dataset"] = {
        "type": "UnpairedFolders",
        "root_a": root_a,
        "root_b": root_b,
        "transforms": [{"type": "RandomCrop", "size": 32}, {"type": "RandomFlip"}],
    }
    config["val_dataloader"]["dataset"]["key"] = "real_a"
    config["val_evaluator"] = [{"type": "LuminanceCorrelation", "prediction": "fake_b", "reference": "real_a"}]
    return config


def write_config(config: dict[str, Any], path: Path) -> Path:
    """Write a config as YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def command(*arguments: object) -> int:
    """Run `gan-toolbox ARGUMENTS` in this process; returns the exit code."""
    name, *rest = [str(argument) for argument in arguments]
    return run(name, rest)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must be refused; returns its one line."""
    capsys.readouterr()
    assert command(*arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 1 and lines[0].startswith("error: "), lines
    return lines[0]


def weights(checkpoint: Path) -> dict[str, Any]:
    """The tensors of a checkpoint's model."""
    from torch import Tensor

    from toolbox.weights.checkpoint import read_checkpoint

    state = read_checkpoint(checkpoint)["state_dict"]
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}

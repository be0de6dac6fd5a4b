"""Runs with all that a resume must repeat: augmentation, dropout, noise, EMA, spectral norm, pool, WGAN-GP, R1, ADA."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from runs import command, sr_config, style_config, write_config

PLUGIN = Path(__file__).with_name("dropout_plugin.py")
VARIANT = {
    "type": "SpectralNorm",
    "base": {"type": "WGANGP", "d_steps": 2},
    "regularizers": [{"type": "R1", "every": 2}],
    "augmentations": [{"type": "ADA", "start": 0.5, "images": 50}, {"type": "InstanceNoise", "until": 10}],
}


def hard_sr(folder: Path) -> dict[str, Any]:
    """SRGAN with all of it."""
    config = sr_config(folder, generator={"type": "DropoutEnlarger", "scale": 2}, variant=VARIANT)
    config["model"]["discriminator"]["pool"] = 3
    return config


def hard_style(folder: Path) -> dict[str, Any]:
    """CycleGAN with all of it."""
    generator = {"type": "DropoutEnlarger"}
    return style_config(folder, generator_ab=generator, generator_ba=generator, variant=VARIANT)


def hard_contrast(folder: Path) -> dict[str, Any]:
    """CUT with all of it: mirrored images and places of patches are drawn in every iteration."""
    config = hard_style(folder)
    config["model"] = {
        "type": "CUT",
        "patches": 8,
        "flip_equivariance": True,
        "generator": {"type": "DropoutEnlarger"},
        "discriminator": config["model"]["discriminator_b"],
        "variant": VARIANT,
        "losses": {"nce": {"type": "PatchNCELoss"}, "identity_nce": {"type": "PatchNCELoss"}},
        "ema": 0.9,
    }
    return config


HARD = {"SRGAN": hard_sr, "CycleGAN": hard_style, "CUT": hard_contrast}


def train(file: Path, *arguments: object) -> int:
    """Train with the dropout plugin."""
    return command("train", file, "-p", PLUGIN, *arguments)


def interrupted_and_whole(folder: Path, name: str, workers: int, *arguments: object) -> tuple[Path, Path]:
    """Run once without and once with an interruption after iteration 4; returns both final checkpoints."""
    config = HARD[name](folder)
    config["train_dataloader"]["num_workers"] = workers
    config["train_cfg"] = {"max_iters": 8, "val_interval": 3}
    file = write_config(config, folder / "run.yaml")
    rank = int(os.environ.get("RANK", 0))
    assert train(file, "--work-dir", folder / "whole", *arguments) == 0
    options = ("--cfg-options", "train_cfg.max_iters=4", "param_scheduler.generator.0.end=8")
    assert train(file, "--work-dir", folder / "run", *options, *arguments) == 0
    assert train(file, "--work-dir", folder / "run", "--resume", *arguments) == 0
    assert rank or (folder / "run" / "iter_8.pth").is_file()
    return folder / "whole" / "iter_8.pth", folder / "run" / "iter_8.pth"

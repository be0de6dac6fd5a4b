"""Folders as people have them, made cheaply: pairs, gray, 16 bits, damage, thousands of links to a few pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from runs import command, pictures
from toolbox.config import load_config

TINY = ["train_cfg.max_iters=2", "train_cfg.val_interval=2", "train_dataloader.batch_size=1", "env_cfg.amp=null"]


def picture(seed: int, height: int = 64, width: int = 64) -> np.ndarray:
    """A picture (H, W, 3) uint8 of blocks, whose outlines no other seed has."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (-(-height // 16), -(-width // 16), 3), dtype=np.uint8)
    return coarse.repeat(16, 0).repeat(16, 1)[:height, :width]


def scene(seed: int, size: int = 96) -> np.ndarray:
    """A picture (H, W, 3) uint8 of rectangles anywhere."""
    rng, made = np.random.default_rng(seed), np.full((size, size, 3), 128, np.uint8)
    for top, left in rng.integers(0, size - 8, (6, 2)):
        height, width = rng.integers(8, size // 2, 2)
        made[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return made


def save(path: Path, array: np.ndarray) -> Path:
    """Write an array of any type that Pillow takes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def smaller(array: np.ndarray, factor: int) -> np.ndarray:
    """The mean of blocks."""
    h, w = (side // factor for side in array.shape[:2])
    return array.reshape(h, factor, w, factor, 3).mean((1, 3)).astype(np.uint8)


def three(folder: Path) -> Path:
    """Three pictures."""
    return pictures(folder, 3, size=96)


def thousands(folder: Path, count: int = 5000) -> Path:
    """Links to a few tiny pictures."""
    files = [save(folder / f"{number:05}.png", picture(number, 48, 48)) for number in range(20)]
    for number in range(20, count):
        os.link(files[number % 20], folder / f"{number:05}.png")
    return folder


def mixed(folder: Path) -> Path:
    """Large and small ones, one smaller than any crop, of several types."""
    for number, (height, width) in enumerate([(300, 200), (64, 900), (128, 128), (96, 96), (200, 300), (256, 256)] * 2):
        save(folder / f"{number:02}.{'jpg' if number % 2 else 'png'}", picture(number, height, width))
    save(folder / "zz_tiny.png", picture(99, 9, 9))
    return folder


def gray(folder: Path) -> Path:
    """Gray ones, and one with transparency."""
    for number in range(5):
        save(folder / f"{number}.png", picture(number, 96, 96)[..., 0])
    save(folder / "5.png", np.dstack([picture(5, 96, 96), np.full((96, 96), 128, np.uint8)]))
    return folder


def deep(folder: Path) -> Path:
    """Of 16 bits."""
    for number in range(4):
        save(folder / f"{number}.png", picture(number, 96, 96)[..., 0].astype(np.uint16) * 257)
    return folder


def marked(folder: Path, low: str = "_LR", high: str = "_HR", factor: int = 4, count: int = 6) -> Path:
    """Pairs by their names in one folder."""
    for number in range(count):
        large = picture(number, 160, 192)
        save(folder / f"{number}{high}.png", large)
        save(folder / f"{number}{low}.png", smaller(large, factor))
    return folder


def two_folders(folder: Path, low: str = "lr", high: str = "hr", factor: int = 2, count: int = 6) -> Path:
    """Pairs by equal names in two folders."""
    for number in range(count):
        large = picture(number, 160, 192)
        save(folder / high / f"{number}.png", large)
        save(folder / low / f"{number}.png", smaller(large, factor))
    return folder


def beside(folder: Path, count: int = 6) -> Path:
    """Pairs side by side: the right half is the left one, of other colours."""
    for number in range(count):
        left = scene(number)
        save(folder / f"{number}.png", np.hstack([left, 255 - left // 2]))
    return folder


def damaged(folder: Path) -> Path:
    """Eight that are whole, one cut short, one that is no picture, a text."""
    pictures(folder, 8, size=96)
    (folder / "cut.png").write_bytes((folder / "00.png").read_bytes()[:90])
    (folder / "no.jpg").write_bytes(b"hello")
    (folder / "notes.txt").write_text("notes")
    return folder


def empty(folder: Path) -> Path:
    """Nothing."""
    folder.mkdir(parents=True)
    return folder


def new(*arguments: object) -> dict[str, Any]:
    """Run `new mine …`; the config that it wrote, merged."""
    assert command("new", "mine", "--untimed", *arguments) == 0
    return load_config("mine.yaml").data

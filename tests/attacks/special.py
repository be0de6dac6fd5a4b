"""Pipes, sockets, devices, looping links and folders where files are wanted: nothing is waited for."""

from __future__ import annotations

import contextlib
import io
import os
import socket
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from random import Random
from typing import Any

from attacks import attack
from attacks.configs import as_text, configs
from attacks.grids import GRID
from attacks.images import everything_in, images
from toolbox.assembly.export import load_exported
from toolbox.benchmark.grid import read_grid
from toolbox.cli import run
from toolbox.config import load_config
from toolbox.contracts.output import Condition
from toolbox.inference.masks import Masks
from toolbox.io.images import find_images, image_size, read_image
from toolbox.io.raw_cache import RawCache
from toolbox.weights.checkpoint import hash_file, read_checkpoint, write_checkpoint
from toolbox.weights.file import read_weights
from toolbox.weights.importing import load_network
from weight_files import STATE


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound, chdir(path.parent):  # a socket's path is short
        bound.bind(path.name)


KINDS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a link to a pipe": lambda path: (os.mkfifo(path.with_name("pipe")), path.symlink_to("pipe")),
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "an empty device": lambda path: path.symlink_to("/dev/null"),
    "a terminal": lambda path: path.symlink_to("/dev/tty"),
    "a socket": _socket,
    "a loop": lambda path: path.symlink_to(path.name),
    "a loop of two": lambda path: (path.with_name("b").symlink_to(path.name), path.symlink_to("b")),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a folder": lambda path: path.mkdir(),
    "a link to its own folder": lambda path: path.symlink_to("."),
    "an empty file": lambda path: path.touch(),
    "memory": lambda path: path.symlink_to("/proc/self/mem"),
    "a file of the kernel": lambda path: path.symlink_to("/proc/self/environ"),
}


def _cached(path: Path) -> None:
    RawCache([path], path.parent, path.parent / "cache").prepare()


def _command(*arguments: Any) -> Callable[[Path], object]:
    return lambda path: attack.commanded(*(path if each is PATH else each for each in arguments))


def _doctor(path: Path) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        assert run("doctor", [str(path)]) in (0, 1)
    assert path.name in said.getvalue() and "Traceback" not in said.getvalue()


PATH: Any = object()
READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "read_image": ("x.png", read_image),
    "image_size": ("x.png", image_size),
    "read_picture": ("x.tif", everything_in),
    "find_images": ("x.png", lambda path: find_images(path.parent)),
    "cache": ("x.png", _cached),
    "style": ("x.png", Condition("style", "picture").value),
    "mask": ("x.png", lambda path: Masks("mask", path)),
    "mask folder": ("x.png", lambda path: Masks("mask", path.parent).of(Path("x.png"))),
    "checkpoint": ("x.pth", read_checkpoint),
    "sidecar": ("x.pth.sha256", lambda path: read_checkpoint(path.with_suffix(""))),
    "weights": ("x.safetensors", read_weights),
    "published": ("x.pth", load_network),
    "ncnn graph": ("x.param", load_network),
    "ncnn weights": ("x.bin", lambda path: load_network(path.with_suffix(".param"))),
    "description": ("x.pth.json", lambda path: load_exported(path.with_suffix(""))),
    "infer --weights": ("x.pth", _command("infer", "whole.png", "-o", "out", "--weights", PATH)),
    "described": ("x.pth.json", _command("infer", "whole.png", "-o", "out", "--weights", "x.pth")),
    "infer": ("x.png", _command("infer", PATH, "-o", "out", "--weights", "x.pth")),
    "infer folder": ("x.png", _command("infer", ".", "-o", "out", "--weights", "x.pth")),
    "infer -o": ("out", _command("infer", "whole.png", "-o", PATH, "--weights", "x.pth")),
    "evaluate": ("x.png", _command("evaluate", ".", ".", "--metric", "PSNR")),
    "config": ("x.yaml", load_config),
    "base": ("b.yaml", lambda path: load_config(path.with_name("x.yaml"))),
    "grid": ("x.yaml", read_grid),
    "grid base": ("base.yaml", lambda path: _command("benchmark", path.with_name("grid.yaml"), "--dry-run")(path)),
    "train": ("x.yaml", _command("train", PATH)),
    "resume": ("x.pth", _command("train", "run.yaml", "--resume", PATH)),
    "export": ("x.pth", _command("export", "run.yaml", PATH, "-o", "o.pth")),
    "preview": ("x.png", _command("preview", "run.yaml", PATH, "-o", "sheet.png")),
    "doctor": ("x.yaml", _doctor),
    "models --from": ("x.pth", _command("models", "download", "RealESRGAN_x4plus", "--from", PATH)),
}


class Attack(attack.Attack):
    """Every reader meets every kind in turn."""

    cases = len(KINDS) * len(READERS)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._beside(folder)
        with chdir(folder):  # what is imported once is imported here
            attack.commanded("evaluate", ".", ".", "--metric", "PSNR")
            attack.commanded("infer", "whole.png", "-o", "out", "--weights", "x.pth")

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        reader, kind = divmod(number, len(KINDS))
        name, read = list(READERS.values())[reader]
        self._beside(folder)
        path = folder / name
        if path.is_file():
            path.unlink()
        list(KINDS.values())[kind](path)
        with chdir(folder):
            read(path)
        return False

    def _beside(self, folder: Path) -> None:
        """What else a reader wants."""
        (folder / "whole.png").write_bytes(images()["png"])
        write_checkpoint({"state_dict": dict(STATE)}, folder / "x.pth")
        hash_file(folder / "x.pth").unlink()
        (folder / "x.param").write_text(
            "7767517\n2 2\nInput a 0 1 data\nConvolution b 1 1 data o 0=3 1=3 4=1 5=1 6=81\n"
        )
        (folder / "x.yaml").write_text("_base_: b.yaml\n")
        (folder / "run.yaml").write_bytes(as_text({**configs()[0], "work_dir": "run"}))
        (folder / "base.yaml").write_bytes(as_text(configs()[0]))
        (folder / "grid.yaml").write_bytes(as_text(GRID))

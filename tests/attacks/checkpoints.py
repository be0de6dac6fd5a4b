"""Checkpoints whose bytes changed: read as before, or refused; never silently other weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from attacks import attack
from attacks.damage import BYTEWISE, drawn, scrambled
from toolbox.weights.checkpoint import hash_file, read_checkpoint, write_checkpoint
from weight_files import STATE

PIECES = [b"conv_first", b"\x80\x02", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"9999999", b"\0" * 8, b"\xff" * 8]


def equal(one: Any, other: Any) -> bool:
    """Whether two contents of checkpoints are the same, to the last bit."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and _bits(one) == _bits(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and bool(one == other)


def _bits(tensor: Tensor) -> bytes:
    return tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()


class Attack(attack.Attack):
    """With the sidecar, without it, and with a sidecar that is damaged too."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        optimizer = {"state": {0: {"step": 3.0, "exp_avg": torch.arange(60.0)}}, "param_groups": [{"lr": 1e-4}]}
        self.content = {"meta": {"iter": 4, "seed": 0}, "state_dict": dict(STATE), "optimizer": optimizer}
        self.whole = folder / "whole.pth"
        write_checkpoint(self.content, self.whole)

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        file = folder / "iter_4.pth"
        kinds = ["flip"] if draw.random() < 0.5 else BYTEWISE
        file.write_bytes(scrambled(self.whole.read_bytes(), drawn(draw, kinds), PIECES))
        sidecar = hash_file(self.whole).read_bytes().replace(b"whole", b"iter_4")
        if (way := draw.randrange(3)) == 0:
            hash_file(file).write_bytes(sidecar)
        elif way == 1:
            hash_file(file).write_bytes(scrambled(sidecar, drawn(draw), PIECES))
        content = read_checkpoint(file)
        assert equal(content, self.content), "was read, and holds something else than was written"
        return True

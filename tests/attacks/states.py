"""Checkpoints that say something wrong, one place of the content exchanged, resumed by `train`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import torch

from attacks import attack
from runs import command, style_config, write_config
from toolbox.io.errors import UserError
from toolbox.weights.checkpoint import read_checkpoint, write_checkpoint

DAMAGE: tuple[Callable[[Any], Any], ...] = (
    lambda value: None,
    lambda value: "text",
    lambda value: -1,
    lambda value: 10**15,
    lambda value: float("nan"),
    lambda value: [],
    lambda value: {},
    lambda value: torch.zeros(3),
    lambda value: [None],
)
"""What a value becomes; besides, keys are left out."""


def short_run(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Train for four iterations; returns the config and the content of the checkpoint."""
    config = style_config(folder)
    config["train_cfg"] = {"max_iters": 4, "val_interval": 100}
    del config["val_dataloader"], config["val_evaluator"]
    file = write_config(config, folder / "run.yaml")
    assert command("train", file) == 0
    return file, read_checkpoint(folder / "run" / "iter_4.pth")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a checkpoint; of rows of alike things, the first."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield (*path, key)
            yield from places(each, (*path, key))
    elif isinstance(value, list) and value:
        yield (*path, 0)
        yield from places(value[0], (*path, 0))


def mutation(content: dict[str, Any], number: int, draw: Random) -> tuple[str, dict[str, Any]]:
    """A copy with one place damaged, and what was done; `number` tells the part of the checkpoint, each in turn."""
    by_part: dict[str, list[tuple[Any, ...]]] = {}
    for place in places(content):
        by_part.setdefault(place[0], []).append(place)
    part = list(by_part)[number % len(by_part)]
    chosen = draw.choice(sorted(by_part[part], key=lambda each: (len(each), str(each)))[:400])
    damaged = copy.deepcopy(content)
    at: Any = damaged
    for key in chosen[:-1]:
        at = at[key]
    what = draw.randrange(len(DAMAGE) + 1)
    if what == len(DAMAGE):
        del at[chosen[-1]]
    else:
        at[chosen[-1]] = DAMAGE[what](at[chosen[-1]])
    return f"{'.'.join(map(str, chosen))} ({what})", damaged


class Attack(attack.Attack):
    """The damaged checkpoint is resumed for one iteration more, or refused."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.file, self.content = short_run(folder)

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        name, damaged = mutation(self.content, number, draw)
        path = folder / "damaged.pth"
        write_checkpoint(damaged, path)
        try:
            attack.commanded(
                "train", self.file, "--resume", path, "--work-dir", folder / "run",
                "--cfg-options", "train_cfg.max_iters=5",
            )  # fmt: skip
        except UserError as error:
            assert "damaged.pth: " in str(error), f"{name}: {error}"
            raise
        return False

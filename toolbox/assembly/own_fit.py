"""Fits a recipe to a machine and to pictures: what is kept apart, crop, batch, workers, width and length."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolbox.assembly.machine import Machine
from toolbox.io.errors import UserError
from toolbox.io.images import read_image
from toolbox.io.look import counted

LEAST = 32
"""The smallest crop in pixels of which networks and features still make something."""
FEW = 8
"""Fewer pictures than this are soon known by heart."""
SHORTEST = 100
"""Iterations after whose warm-up something is left."""
_HELD = 32
"""Pictures kept apart at the most: a validation has them all enlarged, again and again."""
_LARGE, _MIDDLE = 1_000_000, 512
"""Pixels of a picture that is measured in its middle alone, and the side of that middle."""


def apart(
    paths: Sequence[Path], unusable: Mapping[Path, str], inputs: Mapping[Path, Path] | None = None
) -> tuple[int | None, list[Path]]:
    """Every how many-th picture is kept apart to measure on, and which those are; None of a single picture.

    About a tenth, one at least, and so that all of them can be read: a run leaves out what is damaged from training,
    and from no measurement. Of pairs `paths` are the targets, and `inputs` has the input of each.

    Raises:
        UserError: too many are damaged for that.
    """
    count = len(paths)
    if count < 2:
        return None, []
    wanted = max(2, count // min(_HELD, max(1, count // 10)))
    near = sorted(range(2, min(count, 3 * wanted) + 1), key=lambda every: (abs(every - wanted), every))
    for every in near:
        held = list(paths[every - 1 :: every])
        beside = [inputs[path] for path in held] if inputs else []
        if len(held) <= 2 * _HELD and not any(path in unusable or not _reads(path) for path in (*held, *beside)):
            return every, held
    path, reason = next(iter(unusable.items()), (paths[0], "cannot be decoded"))
    raise UserError(f"{path}: {reason}; too many of {count:,} pictures are so: move them out of the folder")


@dataclass
class Fit:
    """A fitted recipe, and for each key that was fitted why it is so."""

    data: dict[str, Any]
    why: dict[str, str]
    left_out: int
    """Pictures that are smaller than the crop."""


def fit(recipe: Mapping[str, Any], sides: Sequence[Sequence[int]], machine: Machine, *, own: bool) -> Fit:
    """Fit a recipe; of one that was not written for own pictures, only what must be.

    Args:
        recipe: merged, with the own folders.
        sides: the shorter sides of the pictures that are trained on, one list for each folder.
        own: it is one of `configs/own`, whose length and width may be changed freely.

    Raises:
        UserError: the pictures are too small.
    """
    fitted = Fit(dict(recipe), {}, 0)
    _crop(fitted, sides)
    _machine(fitted, machine, own=own)
    if own:
        _length(fitted, len(sides[0]), machine)
    return fitted


def measured(fitted: Fit, sizes: Sequence[tuple[int, int]], *, halves: bool) -> None:
    """Have large pictures measured in their middle, where the recipe does nothing else to them."""
    loader = fitted.data.get("val_dataloader")
    if not loader or not sizes or max(height * width for height, width in sizes) <= _LARGE:
        return
    transforms = loader["dataset"].get("transforms") or []
    smallest = min(min(height, width // 2 if halves else width) for height, width in sizes)
    side = min(_MIDDLE, smallest // 16 * 16)
    if side < 128 or any(each["type"] != "ModCrop" for each in transforms):
        return
    dataset = {**loader["dataset"], "transforms": [{"type": "CenterCrop", "size": side}]}
    fitted.data["val_dataloader"] = {**loader, "dataset": dataset}
    fitted.why["val_dataloader.dataset.transforms"] = "the middle alone, or a validation of large pictures takes long"


def _crop(fitted: Fit, sides: Sequence[Sequence[int]]) -> None:
    """Make crops as large as nine of ten pictures are; those that are smaller still are left out of training."""
    loader = fitted.data["train_dataloader"]
    dataset = dict(loader["dataset"])
    key = "transforms"
    crops = [i for i, each in enumerate(dataset.get(key) or []) if each["type"] == "RandomCrop"]
    if not crops or any(each["type"] == "Resize" for each in dataset[key]):
        return
    wanted: int = dataset[key][crops[0]]["size"]
    room = min(each[len(each) // 10] for each in sides)
    step = 32 if room >= 64 else 16
    size = min(wanted, room // step * step)
    if size < min(LEAST, wanted):
        raise UserError(
            f"the pictures are too small: a tenth of them have {room} pixels a side or fewer, and {LEAST} are needed"
        )
    fitted.left_out = sum(side < size for each in sides for side in each)
    if size != wanted:
        changed = [{**each, "size": size} if i == crops[0] else each for i, each in enumerate(dataset[key])]
        fitted.data["train_dataloader"] = {**loader, "dataset": {**dataset, key: changed}}
        fitted.why[f"train_dataloader.dataset.{key}"] = f"pictures from {min(min(each) for each in sides)} pixels on"


def _machine(fitted: Fit, machine: Machine, *, own: bool) -> None:
    data, why = fitted.data, fitted.why
    if (data.get("env_cfg") or {}).get("amp") == "bfloat16" and not machine.bfloat16:
        data["env_cfg"] = {**data["env_cfg"], "amp": None}
        why["env_cfg.amp"] = "this machine would only emulate bfloat16"
    if not (own and machine.gpu):
        return
    loader = data["train_dataloader"]
    factor = 4 if machine.memory >= 16 else 2
    workers = max(1, min(8, machine.cores - 1))
    data["train_dataloader"] = {**loader, "batch_size": loader.get("batch_size", 1) * factor, "num_workers": workers}
    why["train_dataloader.batch_size"] = f"{machine.memory:.0f} GiB"
    begun = {key.partition(".")[0] for key in data.get("load_from") or {}}
    for slot, network in data["model"].items():
        if isinstance(network, Mapping) and isinstance(network.get("width"), int) and slot not in begun:
            data["model"] = {**data["model"], slot: {**network, "width": 2 * network["width"]}}
            why[f"model.{slot}.width"] = "twice the recipe's: it begins at nothing, and there is a GPU"


def _length(fitted: Fit, pictures: int, machine: Machine) -> None:
    """A GPU goes on five times as long; few pictures, which are learned by heart, half as long."""
    factor = (5 if machine.gpu else 1) * (0.5 if pictures < FEW else 1)
    if factor == 1:
        return
    settings = fitted.data["train_cfg"]
    interval = max(1, math.floor(settings.get("val_interval", settings["max_iters"]) * factor))
    reason = f"{pictures} pictures are soon known by heart" if pictures < FEW else "there is a GPU"
    _last(fitted, max(1, round(settings["max_iters"] * factor / interval)), interval, reason)


def lasting(fitted: Fit, minutes: float, seconds: float) -> None:
    """Give the training as many iterations, of so many seconds each, as take so many minutes.

    Raises:
        UserError: they are too few to learn from.
    """
    length = int(60 * minutes / seconds)
    if length < SHORTEST:
        raise UserError(
            f"--minutes {minutes:g}: {counted(length, 'iteration')} of {seconds:.2g} s fit on this machine, too few to "
            f"learn from; give {math.ceil(SHORTEST * seconds / 60)} or more"
        )
    settings = fitted.data["train_cfg"]
    validations = max(1, round(settings["max_iters"] / settings.get("val_interval", settings["max_iters"])))
    interval = length // validations
    _last(fitted, length // interval, interval, f"{minutes:g} minutes of {seconds:.2g} s on this machine")


def _last(fitted: Fit, intervals: int, interval: int, reason: str) -> None:
    """Let the training have so many intervals, at whose ends it validates and saves."""
    fitted.data["train_cfg"] = {**fitted.data["train_cfg"], "max_iters": intervals * interval, "val_interval": interval}
    hooks = fitted.data.get("default_hooks") or {}
    fitted.data["default_hooks"] = {**hooks, "checkpoint": {**(hooks.get("checkpoint") or {}), "interval": interval}}
    fitted.why["train_cfg.max_iters"] = reason


def _reads(path: Path) -> bool:
    try:
        read_image(path)
    except UserError:
        return False
    return True

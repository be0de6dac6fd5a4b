"""A config for somebody's own pictures: looks at them, takes the recipe that fits, and writes what differs from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolbox.assembly.check import check
from toolbox.assembly.machine import Machine, this_machine
from toolbox.assembly.own_commands import commands, first_shown
from toolbox.assembly.own_fit import LEAST, Fit, apart, fit, measured
from toolbox.assembly.own_roles import Own, Roles
from toolbox.assembly.own_yaml import changes, flow, written
from toolbox.config import Config, find_config, load_config
from toolbox.config.load import SHIPPED
from toolbox.config.shipped import shipped_configs
from toolbox.io.errors import ConfigError, MissingWeights, RunFailed, UserError
from toolbox.io.files import NotWritten, replace_text
from toolbox.io.look import Look, decode, look
from toolbox.io.pairs import Pairs, pairs_in, scale_of

TASKS = {
    "restore": "mend what is noisy, blurred or full of JPEG's blocks, and enlarge it",
    "enlarge": "enlarge, and keep to the picture",
    "finetune": "enlarge pictures of one kind better than a published network does, and stop when it gains no more",
    "style": "paint photographs in the hand of one picture, at their size",
    "joint": "enlarge and paint in one, of a strength that is chosen when it is applied",
    "translate": "turn pictures of one kind into another kind",
}
"""What own pictures can be used for."""
SHOWN = ("train_dataloader.batch_size", "train_dataloader.dataset.transforms", "train_cfg")
"""What the YAML has for who wants to change it, though it be the recipe's own."""
LONG = 20_000
"""Iterations that no CPU does in a day."""
SCHEMA = "gan-toolbox.schema.json"
"""The schema that an editor looks for beside the YAML."""
_PAIRED = {"restore": "pairs", "enlarge": "pairs", "finetune": "finetune_pairs", "translate": "translate_pairs"}
"""The recipes of tasks that real pairs can teach."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,79}", re.ASCII)
_STYLE = re.compile(r"[a-z][a-z0-9-]{0,39}")


@dataclass
class Wish:
    """What somebody asks for."""

    name: str
    data: Path
    task: str | None = None
    style: Path | None = None
    like: str | None = None
    scale: int | None = None
    minutes: float | None = None
    """How long the training may take on this machine; None for the recipe's length."""


@dataclass
class Made:
    """The file that was written, what was seen, and what to do next."""

    file: Path
    told: list[str]
    """Lines about the pictures, the machine and the recipe."""
    commands: list[str] = field(default_factory=list)
    missing: bool = False
    """Whether the training still needs packages or files, which `told` names."""
    pixels: int = 0
    """Of all pictures."""
    held: int = 0
    """Pictures that are kept apart to measure on."""


def new_config(wish: Wish, *, machine: Machine | None = None) -> Made:
    """Look at the pictures and write NAME.yaml into the current folder, where no such file is.

    Raises:
        UserError: the name is taken or none, or nothing sensible can be learned from the pictures: why, in one line.
    """
    file = named(wish.name)
    for place in filter(None, (wish.data, wish.style)):
        if "{{" in str(place) or not str(place).isprintable():
            raise UserError(f"{str(place)!r}: a config cannot hold such a path; rename the folder")
    machine = machine or this_machine()
    seen, style = look(wish.data), look(wish.style) if wish.style else None
    decode(seen)
    if wish.style and wish.style.resolve() == wish.data.resolve():
        raise UserError(f"--style {wish.style}: is the folder of --data itself; name pictures of another kind")
    pairs = pairs_in(seen, style if wish.task == "translate" else None) if wish.task in (*_PAIRED, None) else None
    sizes = {**(style.sizes if style else {}), **seen.sizes}
    if pairs and wish.style and scale_of(pairs, sizes) != 1:
        pairs = None
    base, config = recipe_of(wish, sizes, pairs)
    roles, held = placed(wish, config, seen, pairs)
    data, pairs = roles.filled(), roles.own.pairs
    other = style if pairs or "root_b" in data["train_dataloader"]["dataset"] else None
    fitted = fit(data, short_sides(seen, other, pairs, held), machine, own=wish.like is None)
    measured(fitted, [sizes[path] for path in held], halves=bool(pairs and pairs.beside))
    if left_out := fitted.left_out + len(seen.unusable):
        loader = {**fitted.data["train_dataloader"], "skip_damaged": True}
        if seen.unusable and loader["dataset"].get("cache"):  # which decodes every picture, and stops at a damaged one
            loader["dataset"] = {**loader["dataset"], "cache": False}
        fitted.data["train_dataloader"] = loader
        fitted.why["train_dataloader.skip_damaged"] = f"left out as damaged or too small: {left_out:,}"
    explain(fitted, roles.own.hold_out, len(held))
    shown = SHOWN if wish.like is None else ()
    text = heading(wish, seen, pairs) + f"_base_: {base if base.startswith(SHIPPED) else flow(base)}\n\n"
    write(file, text + written(changes(config.data, fitted.data, shown), fitted.why))
    pixels = sum(height * width for height, width in sizes.values())
    told = [*seen.told(), *(style.told() if style else []), *([pairs.told()] if pairs else [])]
    needs = missing(fitted.data)
    told += [f"machine: {machine.told()}", *needs]
    if wish.minutes is not None:
        from toolbox.assembly.own_time import fit_to_time  # takes seconds to import, which others need not wait

        try:
            told.append(fit_to_time(fitted, wish.minutes, load_config(file), pixels))
        except (UserError, RunFailed):
            file.unlink()
            raise
        replace_text(file, text + written(changes(config.data, fitted.data, shown), fitted.why))
    if not machine.gpu and (length := fitted.data["train_cfg"]["max_iters"]) > LONG:
        told.append(f"{length:,} iterations are for a GPU; many recipes have a twin for CPUs, *_small.yaml")
    told.append(learns(fitted, base, len(pairs.names) if pairs else len(seen.paths), len(held)))
    shown = first_shown(wish.data, roles.own, seen, held)
    return Made(file, told, commands(file, fitted.data, shown, roles.own.name), bool(needs), pixels, len(held))


def placed(wish: Wish, config: Config, seen: Look, pairs: Pairs | None) -> tuple[Roles, list[Path]]:
    """The own folders in the places of a recipe, and the pictures that are kept apart."""
    tiny = {path: f"is smaller than {LEAST} pixels" for path, size in seen.sizes.items() if min(size) < LEAST}
    unfit = {**tiny, **seen.unusable} if len(tiny) < len(seen.sizes) else seen.unusable
    inputs = {target: source for source, target in pairs.names} if pairs else {}
    kept, held = apart([*inputs] or seen.paths, unfit, inputs)
    roles = Roles(config.data, Own(wish.data, wish.style, pairs, style_name(wish), kept))
    if pairs is not None and not roles.wants_pairs():  # --like a recipe of pictures that stand alone
        return placed(wish, config, seen, None)
    return roles, held


def named(name: str) -> Path:
    """The file of a name, which must be free."""
    stem = name.removesuffix(".yaml")
    if not _NAME.fullmatch(stem) or stem.endswith("."):
        raise UserError(f"{name!r} is no name for a config: letters, digits, - and _, such as mine")
    file = Path(f"{stem}.yaml")
    if file.exists() or file.is_symlink():
        raise UserError(f"{file}: is there already and is not overwritten; choose another name, or remove it")
    return file


def recipe_of(wish: Wish, sizes: Mapping[Path, tuple[int, int]], pairs: Pairs | None) -> tuple[str, Config]:
    """What to stand on, as `_base_` names it, and the recipe.

    Raises:
        UserError: no recipe has that scale, or it cannot be stood on.
    """
    if wish.like is not None:
        if wish.scale is not None:
            raise UserError(f"--scale {wish.scale}: {wish.like} has its own; leave it out, or change the YAML")
        return liked(wish.like)
    task = wish.task or "enlarge"
    kind = _PAIRED[task] if pairs else task
    scale = wish.scale
    if pairs:
        there = scale_of(pairs, sizes)
        if scale is not None and scale != there:
            raise UserError(f"--scale {scale}: the pairs in {wish.data} have a scale of {there}; leave it out")
        if task == "translate" and there != 1:
            raise UserError(f"{wish.data}: pairs of two sizes (x{there}) are for --task restore or enlarge")
        scale = there
    names = {1 if kind in ("style", "translate", "translate_pairs") else 4: f"own/{kind}.yaml"}
    for name in shipped_configs():
        if match := re.fullmatch(rf"own/{kind}_x(\d+)\.yaml", name):
            names[int(match[1])] = name
    scale = next(iter(names)) if scale is None else scale
    if scale not in names:
        known = " and ".join(map(str, sorted(names)))
        what = f"{task} from pairs" if pairs else task
        raise UserError(f"--scale {scale}: there is no recipe to {what} by it; there is one by {known}")
    return f"toolbox:{names[scale]}", load_config(shipped_configs()[names[scale]])


def liked(name: str) -> tuple[str, Config]:
    """A recipe by its name or file, as a base."""
    path = find_config(name)
    shipped = {file.resolve(): key for key, file in shipped_configs().items()}
    config = load_config(path)
    if "train_dataloader" not in config.data or "model" not in config.data:
        raise UserError(f"--like {name}: trains nothing; name a recipe that does")
    if path.resolve() in shipped:
        return f"toolbox:{shipped[path.resolve()]}", config
    if not path.resolve().is_relative_to(Path.cwd()):
        raise UserError(f"--like {name}: lies outside this folder, so no config here may stand on it; copy it here")
    return path.resolve().relative_to(Path.cwd()).as_posix(), config


def style_name(wish: Wish) -> str:
    """What the own style is called: as its file or folder, where that is a name, or as the config."""
    for name in (wish.style.stem if wish.style else "", wish.name.removesuffix(".yaml")):
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        if _STYLE.fullmatch(plain):
            return plain
    return "own"


def short_sides(seen: Look, style: Look | None, pairs: Pairs | None, held: Sequence[Path]) -> list[list[int]]:
    """The shorter sides of what is trained on, sorted, one list for each folder; of pairs those of the targets."""
    kept = set(held)
    if pairs:
        sizes = {**(style.sizes if style else {}), **seen.sizes}
        pictures = [sizes[path] for _, path in pairs.names if path not in kept and path in sizes]
        return [sorted(min(height, width // 2 if pairs.beside else width) for height, width in pictures)]
    own = sorted(min(size) for path, size in seen.sizes.items() if path not in kept)
    return [own, style.short_sides] if style else [own]


def explain(fitted: Fit, kept: int | None, held: int) -> None:
    """Say in the YAML what is kept apart."""
    if kept is None:
        fitted.why["val_dataloader"] = "a single picture: nothing is left to measure on"
        return
    fitted.why["train_dataloader.dataset.hold_out"] = f"1 in {kept} is kept apart, {held} in all, to measure on"


def heading(wish: Wish, seen: Look, pairs: Pairs | None) -> str:
    """The comment that opens the file."""
    what = f"like {wish.like}" if wish.like else f"{wish.task}: {TASKS[wish.task or 'enlarge']}"
    count = pairs.told() if pairs else f"{len(seen.sizes):,} pictures"
    name = wish.name.removesuffix(".yaml")
    return (
        f"# yaml-language-server: $schema={SCHEMA}\n"
        f"# {what}.\n# From {count} in {flow(str(wish.data))}.\n#   gan-toolbox train {name}.yaml\n"
        f"# What is not written here is the base's; `gan-toolbox train {name}.yaml --dry-run` shows the whole.\n"
    )


def write(file: Path, text: str) -> None:
    """Write a config and check it; one that is refused does not stay.

    Raises:
        UserError: it is refused, or the file came into being meanwhile.
        NotWritten: the disk refuses.
    """
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UserError(f"{file}: is there already and is not overwritten") from None
    except OSError as error:
        raise NotWritten(file, error) from None
    try:
        check(load_config(file))
    except ConfigError:
        file.unlink()
        raise


def missing(data: Mapping[str, Any]) -> list[str]:
    """What the run still needs: packages or files of feature networks."""
    from toolbox.assembly.build import build_component

    lines: dict[str, None] = {}
    for features in _features(data):
        try:
            build_component("features", features, "features")
        except MissingWeights as error:
            lines[f"needs: {error}"] = None
    return list(lines)


def _features(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [found for each in value for found in _features(each)]
    if not isinstance(value, Mapping):
        return []
    own = [dict(value["features"])] if isinstance(value.get("features"), Mapping) else []
    found = own + [each for key, inner in value.items() if key != "features" for each in _features(inner)]
    return list({repr(each): each for each in found}.values())


def learns(fitted: Fit, base: str, count: int, held: int) -> str:
    """What the run will do, in one line."""
    data = fitted.data
    crops = [each["size"] for each in data["train_dataloader"]["dataset"].get("transforms") or () if "size" in each]
    crop = f", crops of {crops[0]} pixels" if crops else ""
    batch, length = data["train_dataloader"].get("batch_size", 1), data["train_cfg"]["max_iters"]
    out = f", {fitted.left_out:,} smaller than a crop left out" if fitted.left_out else ""
    return (f"recipe: {base.removeprefix('toolbox:')}, learns from {count - held:,} and measures on {held:,}"
            f"{crop}, batches of {batch}, {length:,} iterations{out}")  # fmt: skip

"""Reads a grid: which configs a benchmark compares, on which seeds and data, with which budget."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from toolbox.config.load import base_of, read_text, root_of
from toolbox.config.shipped import find_config, shipped_configs, shown
from toolbox.config.values import misfit, show
from toolbox.config.yaml_loader import parse_yaml
from toolbox.io.errors import ConfigError, did_you_mean

BASE = "base"
"""Key of an alternative that names another config to begin with; every other key is a dotted path into it."""
KEYS: dict[str, Any] = {
    "title": str,
    "description": str,
    BASE: str,
    "options": dict[str, Any],
    "axes": dict[str, dict[str, dict[str, Any]]],
    "data": dict[str, dict[str, Any]],
    "stages": dict[str, dict[str, Any]],
    "include": list[dict[str, Any]],
    "exclude": list[dict[str, Any]],
    "seeds": list[int],
    "budget": dict[str, float],
    "baseline": dict[str, str],
    "rank_by": str,
    "cost_by": str,
    "sizes": list[int],
    "samples": int,
    "detail": int | None,
    "halving": dict[str, Any],
    "limits": dict[str, float],
}
"""Every key of a grid, and its type."""
BELOW: dict[str, dict[str, Any]] = {
    "budget": {"iterations": int, "minutes": float},
    "halving": {"rungs": list[float], "keep": float, "metric": str},
    "limits": {"memory_gib": float, "minutes": float},
}
"""Keys below a key of `KEYS`."""
COSTS = ("parameters", "gmacs", "latency_ms", "images_per_s", "step_seconds", "peak_memory_mib", "training_minutes")
"""What `cost_by` may name."""
Choice = Mapping[str, str]
"""An alternative of each axis."""


@dataclass(frozen=True)
class Halving:
    """Successive halving: after each rung, a share of the budget, only the best share of the cells goes on."""

    rungs: tuple[float, ...]
    keep: float
    metric: str


@dataclass
class Grid:
    """What a benchmark's YAML says. `axes` and `data` hold named alternatives: dotted paths to values."""

    file: Path
    title: str
    base: str | None
    axes: dict[str, dict[str, dict[str, Any]]]
    description: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    include: Sequence[Choice] = ()
    exclude: Sequence[Choice] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    budget: dict[str, float] = field(default_factory=dict)
    baseline: dict[str, str] | None = None
    rank_by: str | None = None
    cost_by: str = "gmacs"
    """The cost of the Pareto front, without its size: `gmacs`, `latency_ms`, `training_minutes`."""
    sizes: tuple[int, ...] = (128,)
    samples: int = 3
    detail: int | None = 224
    """Pixels a side of the window that the sample pictures show; None: whole pictures."""
    halving: Halving | None = None
    limits: dict[str, float] = field(default_factory=dict)

    def choices(self) -> Iterator[dict[str, str]]:
        """Every combination of alternatives that the rules leave, in the order of the file."""
        for names in itertools.product(*self.axes.values()):
            choice = dict(zip(self.axes, names, strict=True))
            wanted = not self.include or any(fits(choice, rule) for rule in self.include)
            if wanted and not any(fits(choice, rule) for rule in self.exclude):
                yield choice

    def base_file(self, written: str, key: str) -> Path:
        """The config that `base` names: a shipped one, or a file relative to the grid, inside its folder of configs."""
        if not isinstance(written, str):
            raise self.error(f"wants a config's file or name, got {written!r}"[:200], key)
        if written in shipped_configs() and not (self.file.parent / written).is_file():
            return shipped_configs()[written]
        return base_of(written, self.file, root_of(self.file), key)

    def error(self, message: str, key: str) -> ConfigError:
        """An error at a key of this grid."""
        return ConfigError(message, file=shown(self.file), key=key)


def fits(choice: Choice, rule: Mapping[str, Any]) -> bool:
    """Whether a combination is one of those that a rule names: `{axis: alternative}` or `{axis: [several]}`."""
    return all(choice[axis] in (names if isinstance(names, list) else [names]) for axis, names in rule.items())


def read_grid(name: str | Path) -> Grid:
    """Read a grid from a file, or one that is shipped with the toolbox (`benchmark/sr_small.yaml`).

    Raises:
        ConfigError: naming the file, the key and the way out.
    """
    file = find_config(name).resolve()
    written = parse_yaml(read_text(file), shown(file))
    for key, value in written.items():
        if key not in KEYS:
            raise ConfigError(f"a grid has no such key{did_you_mean(key, KEYS)}", file=shown(file), key=key)
        _typed(value, KEYS[key], key, file)
        for inner, each in value.items() if key in BELOW else ():
            place = f"{key}.{inner}"
            if inner not in BELOW[key]:
                raise ConfigError(f"no such setting{did_you_mean(inner, BELOW[key])}", file=shown(file), key=place)
            _typed(each, BELOW[key][inner], place, file)
    if not written.get("axes"):
        raise ConfigError(
            "a grid needs axes: {axis: {alternative: {dotted.path: value}}}", file=shown(file), key="axes"
        )
    settings: dict[str, Any] = {
        key: tuple(value) if key in ("seeds", "sizes") else value for key, value in written.items()
    }
    if "halving" in settings:
        settings["halving"] = _halving(settings["halving"], file)
    grid = Grid(**{"title": file.stem, BASE: None, **settings, "file": file})
    _check(grid)
    return grid


def _typed(value: Any, wanted: Any, key: str, file: Path) -> None:
    wrong = misfit(value, wanted)
    if wrong:
        raise ConfigError(str(wrong), file=shown(file), key=f"{key}{wrong.path}")


def _halving(written: dict[str, Any], file: Path) -> Halving:
    missing = [name for name in BELOW["halving"] if name not in written]
    if missing:
        raise ConfigError("halving needs rungs, keep and metric", file=shown(file), key=f"halving.{missing[0]}")
    rungs, keep = tuple(written["rungs"]), written["keep"]
    if list(rungs) != sorted(set(rungs)) or not rungs or not rungs[0] > 0 or not rungs[-1] < 1:
        message = f"wants rising shares of the budget, such as [0.25, 0.5], got {show(list(rungs))}"
        raise ConfigError(message, file=shown(file), key="halving.rungs")
    if not 0 < keep < 1:
        raise ConfigError(f"wants a share between 0 and 1, got {keep}", file=shown(file), key="halving.keep")
    return Halving(rungs, keep, written["metric"])


def _check(grid: Grid) -> None:
    """Refuse what cannot be meant: names that are not there, seeds given twice, no budget or two."""
    for axis, alternatives in grid.axes.items():
        if not alternatives:
            raise grid.error("an axis needs at least one alternative", f"axes.{axis}")
        for name in alternatives:
            if not name.strip() or not name.isprintable() or " / " in name:
                raise grid.error(f"{show(name)} is no name; write printable text without ' / '", f"axes.{axis}")
    for key, rules in (("include", grid.include), ("exclude", grid.exclude)):
        for i, rule in enumerate(rules):
            _check_choice(grid, rule, f"{key}.{i}")
    if grid.baseline is not None:
        _check_choice(grid, grid.baseline, "baseline")
        left = [choice for choice in grid.choices() if fits(choice, grid.baseline)]
        if len(left) != 1:
            raise grid.error(
                f"must name one cell of the grid, an alternative of every axis; fits {len(left)}", "baseline"
            )
    if not any(True for _ in grid.choices()):
        raise grid.error("include and exclude leave no cell", "exclude" if grid.exclude else "include")
    if len(set(grid.seeds)) < len(grid.seeds) or not grid.seeds or min(grid.seeds) < 0 or max(grid.seeds) > 2**62:
        raise grid.error(f"give every seed once, each from 0 to 2^62, got {list(grid.seeds)}", "seeds")
    for name, value in grid.limits.items():
        if not 0 < value < inf:
            raise grid.error(f"must be above 0, got {value}", f"limits.{name}")
    check_budget(grid, grid.budget, "budget")
    names = [*grid.data, *grid.stages]
    if len({*names}) < len(names) or any(":" in name or not name.strip() or not name.isprintable() for name in names):
        raise grid.error("data and stages need different names, printable and without ':'", "stages")
    if not any(known.startswith(grid.cost_by) for known in COSTS):
        raise grid.error(f"{show(grid.cost_by)} is no cost{did_you_mean(grid.cost_by, COSTS)}", "cost_by")
    if grid.samples < 0 or not all(size > 0 for size in grid.sizes):
        raise grid.error("samples must be 0 or more, and sizes above 0", "samples" if grid.samples < 0 else "sizes")


def check_budget(grid: Grid, budget: Any, key: str) -> None:
    """Refuse a budget that is not one number of iterations or minutes."""
    wrong = misfit(budget, dict[str, float])
    if wrong:
        raise grid.error(str(wrong), f"{key}{wrong.path}")
    if len(budget) > 1:
        raise grid.error("is iterations or minutes, not both", key)
    for name, value in budget.items():
        if name not in BELOW["budget"]:
            raise grid.error(f"no such setting{did_you_mean(name, BELOW['budget'])}", f"{key}.{name}")
        wrong = misfit(value, BELOW["budget"][name])
        if wrong or not 0 < value < inf:
            raise grid.error(str(wrong or f"must be above 0, got {value}"), f"{key}.{name}")


def _check_choice(grid: Grid, rule: Mapping[str, Any], key: str) -> None:
    for axis, names in rule.items():
        if axis not in grid.axes:
            raise grid.error(f"there is no axis {show(axis)}{did_you_mean(axis, grid.axes)}", f"{key}.{axis}")
        for name in names if isinstance(names, list) else [names]:
            if not isinstance(name, str) or name not in grid.axes[axis]:
                hint = did_you_mean(str(name), grid.axes[axis])
                raise grid.error(f"{axis} has no alternative {show(name)}{hint}", f"{key}.{axis}")

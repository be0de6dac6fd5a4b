"""The cells of a grid: each combination's config, put together, checked, and refused where it cannot work."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolbox.benchmark.grid import BASE, Grid, check_budget
from toolbox.config import Config, load_config
from toolbox.config.shipped import shown
from toolbox.config.values import show
from toolbox.io.errors import CompatibilityWarning, ConfigError, UserError, did_you_mean
from toolbox.plugins.error_line import one_line

STAGE = "stage:"
"""`load_from: stage:NAME` begins with a stage's last checkpoint, `stage:NAME:slot` with one of its networks."""


@dataclass
class Cell:
    """One combination of alternatives, or one stage that others begin with: a config that is trained once per seed."""

    id: str
    choice: dict[str, str]
    data: str
    config: dict[str, Any]
    budget: dict[str, float] = field(default_factory=dict)
    stage: str | None = None
    refused: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def trains(self) -> bool:
        """Whether there is something to train; a pipeline of trained networks is only measured."""
        return bool(self.config.get("train_cfg"))

    @property
    def tests(self) -> bool:
        """Whether its results are measured; a stage's are not."""
        return self.stage is None

    def needs(self) -> list[str]:
        """The stages whose weights it begins with."""
        return [name.partition(":")[0] for name in _references(self.config.get("load_from"))]


def cells_of(grid: Grid) -> list[Cell]:
    """The stages, in their order, then every combination; what cannot work says so in `refused`."""
    made = [_stage(grid, name) for name in grid.stages]
    for data, of_data in (grid.data or {"": {}}).items():
        made += [_cell(grid, choice, data, of_data) for choice in grid.choices()]
    known = set()
    for cell in made:
        for name in cell.needs():
            if name not in known:
                message = f"needs the stage {show(name)}, which is not there before it{did_you_mean(name, known)}"
                raise grid.error(message, f"stages.{cell.stage}" if cell.stage else "axes")
        known |= {cell.stage} - {None}
        judge(cell, grid)
    return made


def _stage(grid: Grid, name: str) -> Cell:
    written = dict(grid.stages[name])
    budget = written.pop("budget", {})
    check_budget(grid, budget, f"stages.{name}.budget")
    key = f"stages.{name}"
    return Cell(f"stage {name}", {}, "", _config(grid, [(key, written)], key), budget, stage=name)


def _cell(grid: Grid, choice: dict[str, str], data: str, of_data: Mapping[str, Any]) -> Cell:
    chosen = [(f"axes.{axis}.{name}", grid.axes[axis][name]) for axis, name in choice.items()]
    layers = [("options", grid.options), (f"data.{data}", of_data), *chosen]
    config = _config(grid, layers, chosen[0][0])
    return Cell(" / ".join(choice.values()), choice, data, config, grid.budget)


def _config(grid: Grid, layers: list[tuple[str, Mapping[str, Any]]], key: str) -> dict[str, Any]:
    """A base config with the layers over it, in their order; a whole component replaces what was there."""
    base, place, options = grid.base, BASE, {}
    for where, layer in layers:
        for path, value in layer.items():
            if path == BASE:
                base, place = value, f"{where}.{BASE}"
                continue
            options.pop(path, None)  # the later one comes later
            options[path] = _whole(value)
    if base is None:
        raise grid.error(
            "needs a base: the config to begin with", f"{key}.{BASE}" if key.startswith("stages") else BASE
        )
    return load_config(grid.base_file(base, place), options, options_from=shown(grid.file)).data


def _whole(value: Any) -> Any:
    return {"_delete_": True, **value} if isinstance(value, dict) and "type" in value else value


def judge(cell: Cell, grid: Grid) -> None:
    """Check the cell's config and build it once, so that what cannot work is refused before anything runs.

    Raises:
        ConfigError: a stage cannot work; all that need it could not either.
    """
    from toolbox.assembly.build import seeded_algorithm
    from toolbox.assembly.check import check
    from toolbox.assembly.compatibility import check_combination

    config = Config(copy.deepcopy(cell.config), grid.file)
    config.sources[""] = shown(grid.file)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", CompatibilityWarning)
            check(config)
            check_combination(config.data, seeded_algorithm(config))
        cell.notes = [str(each.message) for each in caught if issubclass(each.category, CompatibilityWarning)]
        if cell.tests and not config.data.get("test_dataloader") and not config.data.get("val_dataloader"):
            raise ConfigError("there is no data to measure on", key="test_dataloader")
        if not cell.trains and not config.data.get("load_from"):
            raise ConfigError("there is nothing to train, and no weights to measure", key="train_cfg")
    except UserError as error:
        where = getattr(error, "key", None)
        cell.refused = f"{where}: {error.message}" if isinstance(error, ConfigError) and where else str(error)
    except Exception as error:  # a plugin's constructor may raise anything; the others go on
        cell.refused = one_line(error)
    if cell.refused and cell.stage:
        raise grid.error(cell.refused, f"stages.{cell.stage}")


def _references(load_from: Any) -> list[str]:
    values = list(load_from.values()) if isinstance(load_from, Mapping) else [load_from]
    values = [value.get("file") if isinstance(value, Mapping) else value for value in values]
    return [value.removeprefix(STAGE) for value in values if isinstance(value, str) and value.startswith(STAGE)]


def begun_with(config: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    """The config with every `stage:NAME…` replaced by that stage's place: a checkpoint, or whatever stands for it."""

    def replace(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {**value, "file": replace(value.get("file"))}
        if not isinstance(value, str) or not value.startswith(STAGE):
            return value
        name, colon, slot = value.removeprefix(STAGE).partition(":")
        return f"{places[name]}{colon}{slot}"

    source = config.get("load_from")
    if isinstance(source, Mapping):
        return {**config, "load_from": {slot: replace(value) for slot, value in source.items()}}
    return {**config, "load_from": replace(source)} if source else dict(config)

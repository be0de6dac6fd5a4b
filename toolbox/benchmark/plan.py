"""From cells to runs: one per cell and seed, each with its length, its key and its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from toolbox.benchmark.cells import Cell, begun_with
from toolbox.benchmark.fingerprint import key_of
from toolbox.benchmark.grid import Grid
from toolbox.benchmark.kept import read_typed
from toolbox.benchmark.rescale import rescaled
from toolbox.io.errors import UserError
from toolbox.io.files import replace_text
from toolbox.plugins.manager import PluginManager

SAVES = 5
"""Checkpoints that a run writes on its way: a killed one repeats a fifth at most."""


@dataclass(frozen=True)
class Order:
    """How a benchmark's runs are made, beside what its grid says."""

    folder: Path
    plugins: tuple[str, ...] = ()
    """`-p` values."""
    threads: int = 1


@dataclass
class Run:
    """One training and its test: everything that the process which does it must know, as plain data."""

    key: str
    cell: str
    choice: dict[str, str]
    data: str
    seed: int
    iterations: int
    folder: str
    threads: int
    stage: str | None = None
    needs: dict[str, str] = field(default_factory=dict)
    """Keys of the runs whose weights it begins with, by stage."""
    plugins: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    limits: dict[str, float] = field(default_factory=dict)
    accumulation: int = 1
    """Batches of one step: a run stops only between steps."""
    stop_at: int | None = None
    """Where halving looks at it; None: at the end."""

    @property
    def place(self) -> Path:
        """Its folder."""
        return Path(self.folder)

    @property
    def checkpoint(self) -> Path:
        """What it trains."""
        return self.place / "train" / f"iter_{self.iterations}.pth"


Speed = Callable[[Sequence[Cell]], Mapping[str, float]]
"""Measures cells: seconds of an iteration by the cell's id and data."""


def plan_runs(grid: Grid, cells: Sequence[Cell], order: Order, plugins: PluginManager, speed: Speed) -> list[Run]:
    """Every run of every cell that was not refused, stages first; each one's folder holds its config and order.

    A budget in minutes becomes iterations by what `speed` measures, the same for all seeds of a cell.
    """
    timed = [cell for cell in cells if "minutes" in cell.budget and cell.trains and not cell.refused]
    seconds = speed(timed) if timed else {}
    refused: set[str] = set()
    for cell in cells:  # a probe may have refused some
        lost = sorted(refused.intersection(cell.needs()))
        if lost and not cell.refused:
            cell.refused = f"it needs the stage {lost[0]}, which is refused"
        if cell.refused and cell.stage:
            refused.add(cell.stage)
    for cell in cells:
        try:
            if not cell.refused:
                config_of(cell, grid.seeds[0], iterations_of(cell, seconds))
        except UserError as error:
            cell.refused = str(error)
    able = [cell for cell in cells if not cell.refused]
    runs: list[Run] = []
    keys: dict[tuple[str, int], Run] = {}
    for cell in able:
        length = iterations_of(cell, seconds)
        for seed in grid.seeds:
            run = _run(grid, cell, seed, length, keys, order, plugins)
            if cell.stage:
                keys[cell.stage, seed] = run
            twin = next((each for each in runs if each.key == run.key), None)
            if twin is not None and seed == grid.seeds[0]:
                cell.notes.append(f"is the same as {twin.cell}, and run once for both")
            runs.append(run)
    return runs


def iterations_of(cell: Cell, seconds: Mapping[str, float]) -> int:
    """How long a cell trains; minutes become iterations, to two digits so that a little noise changes nothing."""
    if not cell.trains:
        return 0
    if "iterations" in cell.budget:
        return int(cell.budget["iterations"])
    if "minutes" not in cell.budget:
        return int(cell.config["train_cfg"]["max_iters"])
    return max(1, int(float(f"{60 * cell.budget['minutes'] / seconds[name_of(cell)]:.1e}")))


def name_of(cell: Cell) -> str:
    """A cell's name within its grid."""
    return f"{cell.data}: {cell.id}" if cell.data else cell.id


def config_of(cell: Cell, seed: int, iterations: int, samples: int = 0, detail: int | None = None) -> dict[str, Any]:
    """A run's config: the cell's, for its seed and length, with checkpoints to continue from, and pictures to show."""
    config = rescaled(cell.config, iterations) if cell.trains else dict(cell.config)
    count = accumulation_of(config)
    interval = max(1, iterations // SAVES // count) * count
    hooks = dict(config.get("default_hooks") or {})
    hooks["checkpoint"] = {**(hooks.get("checkpoint") or {}), "interval": interval, "max_keep_ckpts": 1}
    hooks["samples"] = {"count": samples, "keep": True, "detail": detail} if samples and cell.tests else None
    return {**config, "randomness": {**(config.get("randomness") or {}), "seed": seed}, "default_hooks": hooks}


def accumulation_of(config: Mapping[str, Any]) -> int:
    """Batches that are accumulated for one step."""
    wrappers = config.get("optim_wrapper") or {}
    return max((each.get("accumulative_counts", 1) for each in wrappers.values()), default=1)


def _run(grid: Grid, cell: Cell, seed: int, iterations: int, stages: Mapping[tuple[str, int], Run], order: Order,
         plugins: PluginManager) -> Run:  # fmt: skip
    config = config_of(cell, seed, iterations, grid.samples, grid.detail)
    begin = {name: stages[name, seed] for name in cell.needs()}
    needs = {name: run.key for name, run in begin.items()}
    key = key_of(
        begun_with(config, needs),
        seed=seed,
        threads=order.threads,
        needs=needs,
        plugins=plugins,
        stage=cell.stage is not None,
    )
    run = Run(
        key=key, cell=cell.id, choice=cell.choice, data=cell.data, seed=seed, iterations=iterations,
        folder=str(order.folder / "runs" / key), threads=order.threads, stage=cell.stage, needs=needs,
        plugins=order.plugins, sizes=grid.sizes, limits=grid.limits, accumulation=accumulation_of(config),
    )  # fmt: skip
    config = begun_with(config, {name: str(each.checkpoint) for name, each in begin.items()})
    write_run(run, config)
    return run


def write_run(run: Run, config: Mapping[str, Any]) -> None:
    """Make a run's folder, with its config and its order."""
    replace_text(run.place / "run.yaml", yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))
    write_order(run)


def write_order(run: Run) -> None:
    """Put what a run's process must know into its folder."""
    replace_text(run.place / "run.json", json.dumps(asdict(run), indent=1) + "\n")


def read_order(folder: Path) -> Run:
    """The run of a folder."""
    file, types = folder / "run.json", get_type_hints(Run)
    written = read_typed(file, {**types, "plugins": list[str], "sizes": list[int]})
    if written.keys() != types.keys():
        raise UserError(
            f"{file}: is damaged: {', '.join(sorted(written.keys() ^ types.keys()))[:200]} is missing or new"
        )
    return Run(**{**written, "plugins": tuple(written["plugins"]), "sizes": tuple(written["sizes"])})


def progress_of(run: Run) -> int:
    """The last iteration that a run has logged."""
    newest = max((run.place / "train").glob("*/vis_data/scalars.json"), default=None)
    if newest is None:
        return 0
    with newest.open("rb") as file:
        file.seek(max(0, newest.stat().st_size - 4096))
        ends = [line for line in file.read().decode(errors="replace").splitlines() if line.endswith("}")]
    try:
        return int(json.loads(ends[-1]).get("step", 0)) if ends else 0
    except ValueError:  # the last line alone is longer than what was read
        return 0

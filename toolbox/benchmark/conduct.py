"""A whole benchmark: plan the grid, make its runs, write the report; called again it continues."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.table import Table

from toolbox.benchmark.cells import Cell, cells_of
from toolbox.benchmark.engines import Engine
from toolbox.benchmark.fingerprint import key_of
from toolbox.benchmark.grid import Grid
from toolbox.benchmark.launch import LOG
from toolbox.benchmark.live import Watch
from toolbox.benchmark.plan import Order, Run, config_of, iterations_of, name_of, plan_runs, write_run
from toolbox.benchmark.schedule import CUT, FAILURE, make, make_in_rungs, outcome_of, state_of
from toolbox.benchmark.summary import summarize
from toolbox.benchmark.worker import PROBE, read
from toolbox.benchmark.writers import write_report
from toolbox.config.shipped import shown
from toolbox.engine.claim import owner_of, sign
from toolbox.io.console import console
from toolbox.io.errors import RunFailed, UserError
from toolbox.io.files import lock, read_json, replace_text
from toolbox.plugins.manager import manager

PROBES = "probes"
"""Folder of the probes, below the benchmark's."""


class Conductor:
    """One grid in one folder, made by one engine."""

    def __init__(self, grid: Grid, order: Order, engine: Engine) -> None:
        self.grid, self.order, self.engine = grid, order, engine
        self.cells = cells_of(grid)
        self.able = [cell for cell in self.cells if not cell.refused]
        if not any(cell.tests for cell in self.able):
            reasons = "; ".join(dict.fromkeys(str(cell.refused) for cell in self.cells if cell.refused))
            raise grid.error(f"every cell is refused: {reasons[:400]}", "axes")

    def plan(self) -> list[Run]:
        """The runs; budgets in minutes are measured first, once."""
        self.order.folder.mkdir(parents=True, exist_ok=True)
        return plan_runs(self.grid, self.cells, self.order, manager(), self.seconds)

    def run(self, *, retry: bool = False) -> dict[str, Any]:
        """Make what is not made yet, and write the report; returns its content.

        Raises:
            RunFailed: it was stopped; the same command continues.
        """
        runs = self.plan()
        for run in runs if retry else ():
            for name in (FAILURE, CUT):
                (run.place / name).unlink(missing_ok=True)
        with Watch(runs, self.engine.slots) as watch:
            whole = (
                make_in_rungs(runs, self.grid.halving, self.engine, watch)
                if self.grid.halving
                else make(runs, self.engine, watch)
            )
        report = summarize(self.grid, self.cells, runs, self.order.folder)
        write_report(report, self.order.folder)
        left = sum(state_of(run) == "open" for run in runs)
        if not whole or left:
            raise RunFailed(f"stopped with {left} of {len(runs)} runs left; the same command continues")
        return report

    # ------------------------------------------------------------------ probes

    def probes(self, cells: Sequence[Cell]) -> dict[str, dict[str, Any]]:
        """What a few steps of each cell cost, by name; measured once and kept, so that a continued plan is the same."""
        runs: dict[str, Run] = {}
        for cell in cells:
            config = {**config_of(cell, self.grid.seeds[0], iterations_of_config(cell)), "load_from": None}
            key = key_of(config, seed=0, threads=self.order.threads, needs={}, plugins=manager())
            run = Run(
                key=key, cell=cell.id, choice=cell.choice, data=cell.data, seed=self.grid.seeds[0],
                iterations=iterations_of_config(cell), folder=str(self.order.folder / PROBES / key),
                threads=self.order.threads, plugins=self.order.plugins, limits=self.grid.limits,
            )  # fmt: skip
            write_run(run, config)
            runs[name_of(cell)] = run
        futures = {
            name: self.engine.submit(run, probe=True) for name, run in runs.items() if not (run.place / PROBE).is_file()
        }
        found = {}
        for name, run in runs.items():
            outcome = outcome_of(futures[name]) if name in futures else None
            if outcome is not None and outcome.state != "done":
                found[name] = {"error": f"{outcome.reason} ({run.place / LOG} says more)"}
            else:
                found[name] = read(run.place / PROBE)
        return found

    def seconds(self, cells: Sequence[Cell]) -> Mapping[str, float]:
        """Seconds of one iteration by the cell's name; a cell that cannot make six steps fails the plan."""
        found = self.probes(cells)
        for cell in cells:
            if "error" in found[name_of(cell)]:
                cell.refused = f"a probe of it failed: {found[name_of(cell)]['error']}"
        return {name: each["step_seconds"] for name, each in found.items() if "error" not in each}

    # ------------------------------------------------------------------ the dry run

    def show_plan(self) -> None:
        """Print the runs, what is refused and why, and about how long and how much memory it will take."""
        trained = [cell for cell in self.able if cell.trains]
        found = self.probes(trained)
        speeds = {name: each["step_seconds"] for name, each in found.items() if "error" not in each}
        table = Table("cell", "seeds", "iterations", "s/iteration", "minutes a run", "peak MiB", title=self.grid.title)
        total = 0.0
        for cell in self.able:
            name = name_of(cell)
            probe = found.get(name, {})
            if "error" in probe:
                table.add_row(name, str(len(self.grid.seeds)), f"its probe failed: {probe['error']}")
                continue
            length = iterations_of(cell, speeds)
            minutes = length * speeds.get(name, 0.0) / 60
            total += minutes * len(self.grid.seeds)
            speed, memory = (
                f"{probe[key]:.{n}f}" if probe else "" for key, n in (("step_seconds", 3), ("peak_memory_mib", 0))
            )
            table.add_row(name, str(len(self.grid.seeds)), f"{length:,}", speed, f"{minutes:.1f}", memory)
        console.print(table)
        for cell in self.cells:
            if cell.refused:
                console.print(f"refused: {name_of(cell)}: {cell.refused}", soft_wrap=True)
            for note in () if cell.refused else cell.notes:
                console.print(f"unwise: {name_of(cell)}: {note}", soft_wrap=True)
        count = len(self.able) * len(self.grid.seeds)
        text = f"{count} runs, about {total / self.engine.slots:.0f} minutes of training in {self.engine.slots} slots"
        console.print(f"{text}; validation, tests and start-up come on top", soft_wrap=True)


def iterations_of_config(cell: Cell) -> int:
    """How long the config itself trains."""
    return int(cell.config["train_cfg"]["max_iters"])


@contextmanager
def claimed(grid: Grid, folder: Path) -> Iterator[None]:
    """Have the folder for this process alone; refuse one that holds another grid's runs, or that another is using.

    A grid may be changed and run again: what is the same in both is not repeated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+", encoding="utf-8") as file:
        if lock(file) is False:
            raise UserError(
                f"{folder}: {owner_of(file)} is making a benchmark here; wait for it, or choose another folder with -o"
            )
        sign(file, folder / ".lock")
        path = folder / "grid.json"
        own = shown(grid.file)
        known = read_json(path).get("file", own) if path.is_file() else own
        if known != own:
            raise UserError(f"{folder}: holds the benchmark of {known}; choose another folder with -o")
        replace_text(path, json.dumps({"file": own, "title": grid.title}) + "\n")
        yield

"""What the runs of a benchmark came to: tables of comparable rows, statistics, and where each number is from."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import torch

from toolbox.benchmark.cells import Cell
from toolbox.benchmark.fingerprint import digest, files
from toolbox.benchmark.grid import Grid
from toolbox.benchmark.plan import Run, name_of
from toolbox.benchmark.schedule import CUT, FAILURE, state_of
from toolbox.benchmark.statistics import Interval, difference, effects, interval, pareto
from toolbox.benchmark.worker import RESULT, read
from toolbox.config import load_config
from toolbox.config.shipped import shown
from toolbox.images import read_image, write_image
from toolbox.plugin_manager import manager

LOG_LINES = 15
PICTURES = "samples"
"""Folder of the pictures that the page shows."""


@dataclass
class Measured:
    """One run that is done: its metrics and costs as numbers, and all that its result says."""

    run: Run
    result: dict[str, Any]
    metrics: dict[str, float]
    costs: dict[str, float | None]


def summarize(grid: Grid, cells: Sequence[Cell], runs: Sequence[Run], folder: Path) -> dict[str, Any]:
    """The report's content, as plain data (its shape stands in docs/benchmark.md)."""
    stages = {run.key: run for run in runs if run.stage}
    done = [measured(run, stages) for run in runs if not run.stage and state_of(run) == "done"]
    metrics, costs = known_metrics(done), known_costs(done)
    rank_by = grid.rank_by if grid.rank_by in metrics else next(iter(metrics), None)
    groups: dict[tuple[str, ...], list[Measured]] = {}
    for each in done:
        groups.setdefault(comparable(each, grid), []).append(each)
    tables = [table(grid, group, cells, runs, rank_by, metrics) for group in groups.values()]
    place = {key: number for number, each in enumerate(tables) for cell in each["cells"] for key in cell["runs"]}
    return {
        "kind": "benchmark",
        "title": grid.title,
        "description": grid.description,
        "grid": shown(grid.file),
        "made": time.strftime("%Y-%m-%d"),
        "versions": {"torch": torch.__version__, **manager().versions()},
        "axes": {axis: list(alternatives) for axis, alternatives in grid.axes.items()},
        "seeds": list(grid.seeds),
        "baseline": grid.baseline,
        "rank_by": rank_by,
        "metrics": metrics,
        "costs": costs,
        "tables": tables,
        "refused": [{"id": name_of(cell), "reason": cell.refused} for cell in cells if cell.refused],
        "notes": [{"id": name_of(cell), "note": note} for cell in cells if not cell.refused for note in cell.notes],
        "failures": [failure(run) for run in runs if state_of(run) == "failed"],
        "cut": [{"id": run.cell, "seed": run.seed, **read(run.place / CUT)} for run in runs if state_of(run) == "cut"],
        "runs": {
            **{each.run.key: trace(each, place.get(each.run.key, 0), folder) for each in done},
            **{run.key: trace_of_failed(run, folder) for run in runs if state_of(run) == "failed"},
        },
        "samples": samples(tables, done, folder),
    }


def measured(run: Run, stages: Mapping[str, Run]) -> Measured:
    """A run's numbers; the training of the stages that it begins with counts as its own."""
    result = read(run.place / RESULT)
    tested, trained = result["tested"], result["trained"]
    of_training = trained.get("costs", {})
    costs = {name: number(value) for name, value in result["costs"].items() if name != "load"}
    costs["step_seconds"] = number(of_training.get("step_seconds"))
    costs["peak_memory_mib"] = number(of_training.get("peak_memory_mib"))
    costs["training_minutes"] = training_minutes(run, stages)
    metrics = {name: float(value) for name, value in tested["rows"].get("test", {}).items()}
    return Measured(run, result, metrics, costs)


def training_minutes(run: Run, stages: Mapping[str, Run]) -> float | None:
    """Steps times their median seconds, of the run and of all that it begins with; None where one is not known."""
    steps = read(run.place / RESULT)["trained"].get("costs", {}).get("step_seconds") if run.iterations else 0.0
    before = [training_minutes(stages[key], stages) for key in run.needs.values()]
    if steps is None or None in before:
        return None
    return float(steps) * run.iterations / 60 + sum(each for each in before if each is not None)


def comparable(each: Measured, grid: Grid) -> tuple[str, ...]:
    """What must be alike for two rows to stand in one table: protocols, the test data, and the budget."""
    tested = each.result["tested"]
    config = load_config(each.run.place / "run.yaml").data
    split = "test" if tested["data"] == "test" else "val"
    data = config[f"{split}_dataloader"]["dataset"]
    images = [f"{path} {digest(path)}" for path in files(data)]
    protocols = [f"{name} {protocol}" for name, protocol in tested["protocols"].items()]
    return (each.run.data, budget_of(each.run, grid), *protocols, *images, str(data))


def budget_of(run: Run, grid: Grid) -> str:
    """The budget in words; that of minutes is the same for runs of unlike length."""
    if "minutes" in grid.budget:
        return f"{grid.budget['minutes']:g} minutes of {run.threads} thread{'s' * (run.threads > 1)}"
    return f"{run.iterations} iterations" if run.iterations else "trained before"


def known_metrics(done: Sequence[Measured]) -> dict[str, dict[str, bool]]:
    """Every metric, and whether higher is better."""
    found: dict[str, dict[str, bool]] = {}
    for each in done:
        rising = each.result["tested"].get("higher_is_better", {})
        for name in each.metrics:
            found.setdefault(name, {"higher_is_better": bool(rising.get(name, True))})
    return found


def known_costs(done: Sequence[Measured]) -> dict[str, dict[str, Any]]:
    """Every cost that was measured, with its label and unit."""
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(name for each in done for name, value in each.costs.items() if value is not None):
        kind, _, size = name.rpartition("_")
        at = f" at {size}²" if size.isdigit() else ""
        label, unit = LABELS.get(kind if at else name, (name.replace("_", " "), ""))
        found[name] = {"label": label + at, "unit": unit, "higher_is_better": kind == "images_per_s"}
    return found


LABELS = {
    "parameters": ("parameters", ""),
    "gmacs": ("GMACs", ""),
    "latency_ms": ("latency", "ms"),
    "images_per_s": ("throughput", "images/s"),
    "step_seconds": ("training step", "s"),
    "peak_memory_mib": ("peak memory of training", "MiB"),
    "training_minutes": ("training", "minutes"),
}
"""Costs as a reader calls them, and their units."""


def table(grid: Grid, group: Sequence[Measured], cells: Sequence[Cell], runs: Sequence[Run], rank_by: str | None,
          metrics: Mapping[str, Mapping[str, bool]]) -> dict[str, Any]:  # fmt: skip
    """One table of comparable rows."""
    by_cell: dict[str, list[Measured]] = {}
    for each in group:
        by_cell.setdefault(each.run.cell, []).append(each)
    first = group[0]
    tested = first.result["tested"]
    base = next((cell for cell, each in by_cell.items() if each[0].run.choice == grid.baseline), None)
    values = {
        name: {cell: seeds_of(each, name) for cell, each in by_cell.items() if seeds_of(each, name)}
        for name in dict.fromkeys(name for each in group for name in each.metrics)
    }
    rows = [row(cell, each, values, base, runs) for cell, each in by_cell.items()]
    cost = front(rows, rank_by, grid.cost_by, metrics)
    choices = {cell: each[0].run.choice for cell, each in by_cell.items()}
    return {
        "title": ", ".join(part for part in (first.run.data, budget_of(first.run, grid)) if part),
        "protocols": tested["protocols"],
        "data": tested["data"],
        "weights": tested.get("weights", ""),
        "budget": budget_of(first.run, grid),
        "do_nothing": {name: number(value) for name, value in tested["rows"].get("do nothing", {}).items()},
        "pareto_cost": cost,
        "cells": rows,
        "effects": {name: axis_effects(grid, values[name], choices) for name in values},
    }


def seeds_of(group: Sequence[Measured], metric: str) -> dict[int, float]:
    """A cell's values by seed."""
    return {each.run.seed: each.metrics[metric] for each in group if metric in each.metrics}


def row(cell: str, group: Sequence[Measured], values: Mapping[str, Mapping[str, Mapping[int, float]]],
        base: str | None, runs: Sequence[Run]) -> dict[str, Any]:  # fmt: skip
    """One cell: means with intervals, differences from the baseline, costs and health over its seeds."""
    found = {}
    for metric, each in values.items():
        if cell in each:
            against = difference(each[cell], each[base]) if base is not None and base in each and base != cell else None
            found[metric] = {
                **spread(interval(list(each[cell].values()))),
                "values": {str(seed): number(value) for seed, value in each[cell].items()},
                "difference": None if against is None else {**spread(against), "noise": against.noise},
            }
    costs = {}
    for name in dict.fromkeys(name for each in group for name in each.costs):
        known = [value for each in group if (value := each.costs[name]) is not None]
        costs[name] = sorted(known)[len(known) // 2] if known else None
    same = [run for run in runs if run.cell == cell and run.data == group[0].run.data]
    return {
        "id": cell,
        "alternatives": group[0].run.choice,
        "iterations": group[0].run.iterations,
        "metrics": found,
        "costs": costs,
        "health": {
            "verdicts": [
                f"seed {m.run.seed}, {text}" for m in group for text in m.result["trained"].get("verdicts", [])
            ],
            "ill_at_the_end": sum(bool(m.result["trained"].get("ill_at_the_end")) for m in group),
            "skipped": sum(sum(m.result["trained"].get("skipped_steps", {}).values()) for m in group),
        },
        "pareto": False,
        "failed": sum(state_of(run) == "failed" for run in same),
        "runs": [each.run.key for each in group],
    }


def front(rows: Sequence[dict[str, Any]], rank_by: str | None, cost_by: str, metrics: Mapping[str, Any]) -> str | None:
    """Mark the rows on the Pareto front of `rank_by` against a cost, or else parameters; returns the cost's name."""
    if rank_by is None or not rows:
        return None
    sign = -1 if metrics[rank_by]["higher_is_better"] else 1
    cost = next((name for name in rows[0]["costs"] if name.startswith(cost_by)), "parameters")
    points = {
        i: (float(row["costs"][cost]), sign * float(row["metrics"][rank_by]["mean"]))
        for i, row in enumerate(rows)
        if row["costs"].get(cost) is not None and row["metrics"].get(rank_by, {}).get("mean") is not None
    }
    for i in pareto(points):
        rows[i]["pareto"] = True
    return cost


def axis_effects(
    grid: Grid, values: Mapping[str, Mapping[int, float]], choices: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """The marginal effect of each alternative of each axis that has several."""
    found = {}
    for axis in grid.axes:

        def others(cell: str, axis: str = axis) -> tuple[str, ...]:
            return tuple(name for own, name in choices[cell].items() if own != axis)

        each = effects(values, lambda cell, axis=axis: choices[cell][axis], others)
        if len(each) > 1:
            found[axis] = {name: {**spread(effect), "noise": effect.noise} for name, effect in each.items()}
    return found


def spread(found: Interval) -> dict[str, float | None]:
    """A mean and its interval as plain data."""
    return {"mean": number(found.mean), "low": number(found.low), "high": number(found.high)}


def number(value: Any) -> float | None:
    """A finite number, or None: JSON has no others."""
    try:
        return float(value) if isfinite(float(value)) else None
    except (TypeError, ValueError):
        return None


# ---------------------------------------------------------------------- where numbers are from


def trace(each: Measured, table_number: int, folder: Path) -> dict[str, Any]:
    """All that one run's numbers are from."""
    run, tested, trained = each.run, each.result["tested"], each.result["trained"]
    return {
        **beginning(run, folder),
        "table": table_number,
        "state": "done",
        "plugins": tested.get("plugins", {}),
        "torch": torch.__version__,
        "load": each.result["costs"].get("load"),
        "load_in_training": trained.get("costs", {}).get("load"),
        "weights": trained.get("weights"),
        "metrics": {name: number(value) for name, value in each.metrics.items()},
        "costs": each.costs,
        "curves": trained.get("curves", {}),
    }


def trace_of_failed(run: Run, folder: Path) -> dict[str, Any]:
    """What is known of a run that failed."""
    return {**beginning(run, folder), "table": None, "state": "failed", "metrics": {}, "costs": {}, "curves": {}}


def beginning(run: Run, folder: Path) -> dict[str, Any]:
    """What a run was before it ran."""
    log = run.place / "log.txt"
    return {
        "cell": run.cell,
        "data": run.data,
        "seed": run.seed,
        "iterations": run.iterations,
        "threads": run.threads,
        "needs": run.needs,
        "folder": run.place.relative_to(folder).as_posix(),
        "config": (run.place / "run.yaml").read_text(),
        "log": "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:]) if log.is_file() else "",
    }


def failure(run: Run) -> dict[str, Any]:
    """Which run failed, where and why."""
    return {"id": run.cell, "seed": run.seed, **read(run.place / FAILURE), "run": run.key}


def samples(tables: Sequence[Mapping[str, Any]], done: Sequence[Measured], folder: Path) -> list[dict[str, Any]]:
    """For each test picture its versions, and what each cell of the first seed made of it: paths below the folder."""
    shutil.rmtree(folder / PICTURES, ignore_errors=True)
    by_key = {each.run.key: each for each in done}
    found: dict[int, dict[str, Any]] = {}
    for number_of_table, each in enumerate(tables):
        for number_of_cell, cell in enumerate(each["cells"]):
            first = by_key[cell["runs"][0]]
            graded, *others = outputs_of(first)
            for path in sorted((first.run.place / "test" / "samples" / "test").glob("*.png")):
                index, _, version = path.stem.partition("_")
                nothing = {"name": f"picture {int(index) + 1}", "versions": {}, "cells": []}
                sample = found.setdefault(int(index), nothing)
                if version == graded:
                    name = f"{index}_{number_of_table}_{number_of_cell}"
                    sample["cells"].append([number_of_table, cell["id"], kept_small(path, folder, name)])
                elif version not in sample["versions"] and version not in others:
                    sample["versions"][version] = kept_small(path, folder, f"{index}_{version}")
    return [found[index] for index in sorted(found)]


def kept_small(picture: Path, folder: Path, name: str) -> str:
    """A copy as WebP of quality 90, so that the page stays small; returns its path below the folder."""
    copy = folder / PICTURES / f"{name}.webp"
    write_image(copy, read_image(picture), quality=90)
    return copy.relative_to(folder).as_posix()


def outputs_of(each: Measured) -> list[str]:
    """The names of the outputs of a run's algorithm, the graded one first."""
    from toolbox.registry import registry

    config = load_config(each.run.place / "run.yaml").data
    algorithm: Any = registry("algorithms").get(config["model"]["type"])
    return list(algorithm.outputs)

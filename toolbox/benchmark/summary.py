"""What the runs of a benchmark came to: tables of comparable rows, statistics, and where each number is from."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from toolbox.benchmark.cells import Cell
from toolbox.benchmark.grid import Grid
from toolbox.benchmark.plan import Run, name_of
from toolbox.benchmark.results import Measured, budget_of, comparable, known_costs, known_metrics, measured, number
from toolbox.benchmark.schedule import CUT, state_of
from toolbox.benchmark.statistics import Interval, difference, effects, interval, pareto
from toolbox.benchmark.traces import failure, full_name, samples, trace, trace_of_failed
from toolbox.benchmark.worker import read
from toolbox.config.shipped import shown
from toolbox.plugins.manager import manager


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
        "cut": [
            {"id": full_name(run), "seed": run.seed, **read(run.place / CUT)} for run in runs if state_of(run) == "cut"
        ],
        "runs": {
            **{each.run.key: trace(each, place.get(each.run.key, 0), folder) for each in done},
            **{run.key: trace_of_failed(run, folder) for run in runs if state_of(run) == "failed"},
        },
        "samples": samples(tables, done, folder),
    }


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
        known = [value for each in group if (value := each.costs.get(name)) is not None]
        costs[name] = median(known) if known else None
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
    names = [name for row in rows for name, value in row["costs"].items() if value is not None]
    cost = next((name for name in names if name.startswith(cost_by)), "parameters")
    dearer = -1 if cost.startswith("images_per_s") else 1
    points = {
        i: (dearer * float(row["costs"][cost]), sign * float(row["metrics"][rank_by]["mean"]))
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

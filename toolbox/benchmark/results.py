"""What each run came to: its metrics and costs as numbers, and what may be compared with what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from toolbox.benchmark.fingerprint import digest, files
from toolbox.benchmark.grid import Grid
from toolbox.benchmark.plan import Run
from toolbox.benchmark.worker import RESULT, read
from toolbox.config import load_config


@dataclass
class Measured:
    """One run that is done: its metrics and costs as numbers, and all that its result says."""

    run: Run
    result: dict[str, Any]
    metrics: dict[str, float]
    costs: dict[str, float | None]


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
    """Steps times their mean seconds, of the run and of all that it begins with; None where one is not known."""
    total = 0.0
    for each in {run.key: run, **needed(run, stages)}.values():
        costs = read(each.place / RESULT)["trained"].get("costs", {}) if each.iterations else {"step_seconds": 0.0}
        seconds = costs.get("mean_step_seconds", costs.get("step_seconds"))
        if seconds is None:
            return None
        total += float(seconds) * each.iterations / 60
    return total


def needed(run: Run, stages: Mapping[str, Run]) -> dict[str, Run]:
    """The stages that a run begins with, and theirs, each once."""
    found: dict[str, Run] = {}
    for key in run.needs.values():
        found |= {key: stages[key], **needed(stages[key], stages)}
    return found


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
        minutes = grid.budget["minutes"]
        return f"{minutes:g} minute{'s' * (minutes != 1)} of {run.threads} thread{'s' * (run.threads > 1)}"
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


def number(value: Any) -> float | None:
    """A finite number, or None: JSON has no others."""
    try:
        return float(value) if isfinite(float(value)) else None
    except (TypeError, ValueError):
        return None

"""Where each number of a report is from: the runs' configs, versions, curves and logs, and their pictures."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from toolbox.benchmark.launch import LOG
from toolbox.benchmark.plan import Run
from toolbox.benchmark.results import Measured, number
from toolbox.benchmark.schedule import FAILURE
from toolbox.benchmark.worker import lines, read
from toolbox.config import load_config
from toolbox.io.images import read_image, write_image

LOG_LINES = 15
PICTURES = "samples"
"""Folder of the pictures that the page shows."""


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
    log = run.place / LOG
    return {
        "cell": run.cell,
        "data": run.data,
        "seed": run.seed,
        "iterations": run.iterations,
        "threads": run.threads,
        "needs": run.needs,
        "folder": run.place.relative_to(folder).as_posix(),
        "config": from_here((run.place / "run.yaml").read_text(encoding="utf-8")),
        "log": from_here("\n".join(lines(log)[-LOG_LINES:])),
    }


def from_here(text: str) -> str:
    """A text without the path of this folder: a report is read elsewhere too."""
    return text.replace(f"{Path.cwd().as_posix()}/", "")


def full_name(run: Run) -> str:
    """A run's cell, with its data where a grid has several."""
    return f"{run.data}: {run.cell}" if run.data else run.cell


def failure(run: Run) -> dict[str, Any]:
    """Which run failed, where and why."""
    return {"id": full_name(run), "seed": run.seed, **read(run.place / FAILURE), "run": run.key}


def samples(tables: Sequence[Mapping[str, Any]], done: Sequence[Measured], folder: Path) -> list[dict[str, Any]]:
    """For each test picture its versions, and what each cell of the first seed made of it: paths below the folder."""
    shutil.rmtree(folder / PICTURES, ignore_errors=True)
    by_key = {each.run.key: each for each in done}
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for number_of_table, each in enumerate(tables):
        for number_of_cell, cell in enumerate(each["cells"]):
            first = by_key[cell["runs"][0]]
            graded, *others = outputs_of(first)
            for path in sorted((first.run.place / "test" / "samples" / "test").glob("*.png")):
                index, _, version = path.stem.partition("_")
                name = f"{first.run.data} picture {int(index) + 1}".strip()
                sample = found.setdefault((first.run.data, int(index)), {"name": name, "versions": {}, "cells": []})
                if version == graded:
                    name = f"{index}_{number_of_table}_{number_of_cell}"
                    sample["cells"].append([number_of_table, cell["id"], kept_small(path, folder, name)])
                elif version not in sample["versions"] and version not in others:
                    name = f"{index}_{number_of_table}_{version}"
                    sample["versions"][version] = kept_small(path, folder, name)
    return list(found.values())


def kept_small(picture: Path, folder: Path, name: str) -> str:
    """A copy as WebP of quality 90, so that the page stays small; returns its path below the folder."""
    copy = folder / PICTURES / f"{name}.webp"
    write_image(copy, read_image(picture), quality=90)
    return copy.relative_to(folder).as_posix()


def outputs_of(each: Measured) -> list[str]:
    """The names of the outputs of a run's algorithm, the graded one first."""
    from toolbox.plugins.registry import registry

    config = load_config(each.run.place / "run.yaml").data
    algorithm: Any = registry("algorithms").get(config["model"]["type"])
    return list(algorithm.outputs)

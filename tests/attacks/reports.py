"""Damaged files that runs leave for later commands: reports, costs, plans and results of a benchmark."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from attacks import attack
from attacks.damage import STRUCTURAL, drawn, rearranged, scrambled
from attacks.descriptions import TEXTS
from toolbox.benchmark.plan import Run, read_order, write_run
from toolbox.benchmark.repeat import Repetition, claim
from toolbox.benchmark.schedule import cut_before, value_at
from toolbox.benchmark.worker import read

REPORT: dict[str, Any] = {
    "rows": {"do nothing": {"psnr": 20.0}, "whole run (4 iterations)": {"psnr": 21.5}},
    "protocols": {"psnr": "PSNR, Y"},
    "higher_is_better": {"psnr": True},
    "iterations": 4,
    "seed": 0,
    "final": True,
}
CONFIG: dict[str, Any] = {"train_cfg": {"max_iters": 4}, "model": {"type": "SRGAN"}}


def _repetition(folder: Path) -> None:
    made = Repetition(CONFIG, folder, tested=False)
    report = made.results(0)
    if report is not None:
        made.reports[0] = report
        made.rows()


def _order(folder: Path) -> Run:
    run = Run(
        key="k", cell="c", choice={"a": "b"}, data="", seed=0, iterations=4, folder=str(folder), threads=1, plugins=(),
        sizes=(32,), limits={}, accumulation=1, stop_at=4,
    )  # fmt: skip
    write_run(run, CONFIG)
    return run


WAYS: dict[str, tuple[str, Any, Callable[[Path], object]]] = {
    "repeat": ("seed_0/report.json", REPORT, _repetition),
    "claim": ("config.yaml", CONFIG, lambda folder: claim(folder, CONFIG)),
    "order": ("run.json", None, read_order),
    "result": ("result.json", REPORT, lambda folder: read(folder / "result.json")),
    "rung": ("train/report.json", REPORT, lambda folder: value_at(_order(folder), "psnr")),
    "rungs": ("rungs.json", {"psnr 4": [21.5, True], "kept": ["psnr 0.5 4"]},
              lambda folder: value_at(_order(folder), "psnr")),
    "cut": ("cut.json", {"iteration": 4, "psnr": 20.0}, lambda folder: cut_before(_order(folder))),
}  # fmt: skip


class Attack(attack.Attack):
    """One file for each case, read as the command that continues reads it."""

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        name, whole, read_by = WAYS[draw.choice(list(WAYS))]
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        if whole is None:
            _order(folder)
            whole = json.loads(file.read_text())
        if draw.random() < 0.6:
            file.write_text(json.dumps(rearranged(whole, drawn(draw, STRUCTURAL))))
        else:
            file.write_bytes(scrambled(json.dumps(whole, indent=1).encode(), drawn(draw), TEXTS))
        read_by(folder)
        return False

"""Makes the runs of a plan: each when what it begins with is there, each once, whatever happens to the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from statistics import mean
from typing import Any

from toolbox.benchmark.engines import Engine
from toolbox.benchmark.grid import Halving
from toolbox.benchmark.launch import Outcome
from toolbox.benchmark.plan import Run, write_order
from toolbox.benchmark.worker import RESULT, read, write
from toolbox.errors import UserError

FAILURE = "failure.json"
"""Why a run failed; it is not tried again unless asked to."""
CUT = "cut.json"
"""At which iteration halving left a run behind, and with what value."""
RUNGS = "rungs.json"
"""What validation found at each rung, and whether higher is better."""
Watch = Callable[[str, Run, Outcome | None], None]
"""Told of every run that is `started` and `ended`."""


def state_of(run: Run) -> str:
    """`done`, `failed`, `cut` or `open`."""
    known = {RESULT: "done", FAILURE: "failed", CUT: "cut"}
    return next((state for file, state in known.items() if (run.place / file).is_file()), "open")


def make(runs: Sequence[Run], engine: Engine, watch: Watch) -> bool:
    """Make every run that is open; returns whether all came to an end, well or not (False: it was stopped)."""
    waiting = [run for run in runs if state_of(run) == "open"]
    by_key = {run.key: run for run in runs}
    running: dict[Future[Outcome], Run] = {}
    whole = True
    try:
        while waiting or running:
            for run in list(waiting):
                needed = {name: state_of(by_key[key]) for name, key in run.needs.items()}
                lost = [name for name, state in needed.items() if state == "failed"]
                if lost:
                    waiting.remove(run)
                    failed(run, Outcome("failed", "starting", f"needs stage {lost[0]}, which failed"), watch)
                elif all(state == "done" for state in needed.values()):
                    waiting.remove(run)
                    running[engine.submit(run)] = run
            if not running:
                break  # what is left waits for something that was stopped
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                run, outcome = running.pop(future), outcome_of(future)
                if outcome.state == "failed":
                    failed(run, outcome, watch)
                else:
                    whole = whole and (outcome.state == "done" or run.stop_at is not None)
                    watch("ended", run, outcome)
            watch("tick", runs[0], None)
    except KeyboardInterrupt:
        engine.stop()
        wait(running)
        return False
    return whole and not waiting


def outcome_of(future: Future[Outcome]) -> Outcome:
    """A run's outcome; an engine that fails itself fails the run alone."""
    try:
        return future.result()
    except Exception as error:
        return Outcome("failed", "starting", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")


def failed(run: Run, outcome: Outcome, watch: Watch) -> None:
    """Keep why a run failed."""
    write(run.place / FAILURE, {"stage": outcome.stage, "reason": outcome.reason})
    watch("ended", run, outcome)


def make_in_rungs(runs: Sequence[Run], halving: Halving, engine: Engine, watch: Watch) -> bool:
    """Train all cells to the first rung, the best of them to the next, and so on; the seeds of a cell stay together.

    Cells are compared on validation data, by the mean over their seeds; where higher is better, the report says.
    """
    stages, kept = [run for run in runs if run.stage], [run for run in runs if not run.stage]
    if not make(stages, engine, watch):
        return False
    for rung in halving.rungs:
        kept = [run for run in kept if state_of(run) not in ("failed", "cut")]
        looks = [replace(run, stop_at=max(1, round(rung * run.iterations))) for run in kept]
        behind = [run for run in looks if state_of(run) == "open" and value_at(run, halving.metric) is None]
        for run in behind:
            write_order(run)
        if not make(behind, engine, watch):
            return False
        cut([run for run in looks if state_of(run) != "failed"], halving)
    kept = [run for run in kept if state_of(run) == "open"]
    for run in kept:
        write_order(run)
    return make(kept, engine, watch) if kept else True


def cut(looks: Sequence[Run], halving: Halving) -> None:
    """Leave behind all but the best share of the cells; who was left behind stays so."""
    cells: dict[tuple[str, str], list[Run]] = {}
    for run in looks:
        cells.setdefault((run.data, run.cell), []).append(run)
    found: dict[tuple[str, str], Any] = {}
    rising = True
    for cell, each in cells.items():
        values = [value_at(run, halving.metric) for run in each]
        if None in values:
            raise UserError(
                f"halving.metric: the validation of {each[0].cell} measures no '{halving.metric}' at iteration "
                f"{each[0].stop_at}; name a metric of val_evaluator, and leave val_dataloader on"
            )
        found[cell] = mean(value[0] for value in values if value)
        rising = values[0][1] if values[0] else True
    best = sorted(found, key=lambda cell: found[cell], reverse=rising)
    for cell in best[max(1, round(halving.keep * len(best))) :]:
        for run in cells[cell]:
            if state_of(run) == "open":
                write(run.place / CUT, {"iteration": run.stop_at, halving.metric: found[cell]})


def value_at(run: Run, metric: str) -> tuple[float, bool] | None:
    """A run's validation at the iteration where it stopped, kept for later rungs; and whether higher is better."""
    kept = read(run.place / RUNGS)
    if str(run.stop_at) not in kept:
        report = read(run.place / "train" / "report.json")
        rows = [row for name, row in report.get("rows", {}).items() if name.endswith(f"({run.stop_at} iterations)")]
        if not rows or metric not in rows[-1]:
            return None
        kept[str(run.stop_at)] = [float(rows[-1][metric]), bool(report["higher_is_better"].get(metric, True))]
        write(run.place / RUNGS, kept)
    value, rising = kept[str(run.stop_at)]
    return value, rising

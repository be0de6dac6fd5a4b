"""Makes the runs of a plan: each when what it begins with is there, each once, whatever happens to the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from math import inf, isfinite
from statistics import mean

from toolbox.benchmark import kept
from toolbox.benchmark.engines import Engine
from toolbox.benchmark.grid import Halving
from toolbox.benchmark.kept import read_typed
from toolbox.benchmark.launch import Outcome
from toolbox.benchmark.plan import Run, write_order
from toolbox.benchmark.worker import RESULT, read, write
from toolbox.config.values import misfit
from toolbox.io.errors import UserError

FAILURE = "failure.json"
"""Why a run failed; it is not tried again unless asked to."""
CUT = "cut.json"
"""At which iteration halving left a run behind, and with what value."""
RUNGS = "rungs.json"
"""What validation found at each rung, and whether higher is better."""
Watch = Callable[[str, Run, Outcome | None], None]
"""Told of every run that has `ended`, and twice a second that time goes on (`tick`)."""


def state_of(run: Run) -> str:
    """`done`, `failed`, `cut` or `open`."""
    known = {RESULT: "done", FAILURE: "failed", CUT: "cut"}
    return next((state for file, state in known.items() if (run.place / file).is_file()), "open")


def make(runs: Sequence[Run], engine: Engine, watch: Watch, *, stages: Sequence[Run] = ()) -> bool:
    """Make every run that is open; returns whether all came to an end, well or not (False: it was stopped).

    `stages` are runs made before, that these begin with. Cells of equal configs share a run, which is made once.
    """
    by_key = {run.key: run for run in (*stages, *runs)}
    waiting = [run for run in {run.key: run for run in runs}.values() if state_of(run) == "open"]
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
                    whole = whole and (outcome.state == "done" or (run.stop_at is not None and not outcome.reason))
                    watch("ended", run, outcome)
            watch("tick", runs[0], None)
    except KeyboardInterrupt:
        engine.stop()
        wait(running)
        return False
    return whole and not waiting


def outcome_of(future: Future[Outcome]) -> Outcome:
    """A run's outcome; where the engine itself failed (a machine was lost), the run can continue another time."""
    try:
        return future.result()
    except Exception as error:  # whatever the engine raises (Ray has errors of its own) is shown as the run's reason
        return Outcome("stopped", "starting", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")


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
        looks = [replace(run, stop_at=stop_of(run, rung)) for run in kept]
        looks = [run for run in looks if state_of(run) != "failed" and not cut_before(run)]
        behind = [run for run in looks if state_of(run) == "open" and value_at(run, halving.metric) is None]
        for run in behind:
            write_order(run)
        if not make(behind, engine, watch, stages=stages):
            return False
        cut([run for run in looks if state_of(run) != "failed"], halving)
    kept = [run for run in kept if state_of(run) == "open"]
    for run in kept:
        write_order(run)
    return make(kept, engine, watch, stages=stages) if kept else True


def stop_of(run: Run, rung: float) -> int:
    """The iteration of a rung: a share of the run, and the end of a step."""
    return max(1, round(rung * run.iterations / run.accumulation)) * run.accumulation


def cut_before(run: Run) -> bool:
    """Whether an earlier rung than this one has left the run behind."""
    return int(read_typed(run.place / CUT, kept.CUT).get("iteration", run.stop_at or 0)) < (run.stop_at or 0)


def cut(looks: Sequence[Run], halving: Halving) -> None:
    """Leave behind all but the best share of the cells; a decision that was made once stays."""
    place = f"{halving.metric} {halving.keep:g} {looks[0].stop_at}" if looks else ""
    if any(place in read_typed(run.place / RUNGS, kept.RUNGS).get("kept", []) for run in looks):
        return
    cells: dict[tuple[str, str], list[Run]] = {}
    for run in looks:
        cells.setdefault((run.data, run.cell), []).append(run)
    found: dict[tuple[str, str], float] = {}
    rising = True
    for cell, each in cells.items():
        values = [value for run in each if (value := value_at(run, halving.metric)) is not None]
        if len(values) == len(each):  # where it is not known, the run was longer before: it stays
            found[cell] = mean(value for value, _ in values)
            rising = values[0][1]
    if cells and not found:
        raise UserError(
            f"halving.metric: no validation measures '{halving.metric}' at iteration {looks[0].stop_at}; name a metric "
            "of val_evaluator, and leave val_dataloader on"
        )
    worst = -inf if rising else inf
    best = sorted(found, key=lambda cell: found[cell] if isfinite(found[cell]) else worst, reverse=rising)
    for cell in best[max(1, round(halving.keep * len(best))) :]:
        for run in cells[cell]:
            if state_of(run) == "open":
                write(run.place / CUT, {"iteration": run.stop_at, halving.metric: found[cell]})
    for run in looks:  # last: with this mark, all others are cut
        if state_of(run) != "cut":
            known = read(run.place / RUNGS)
            write(run.place / RUNGS, {**known, "kept": [*known.get("kept", []), place]})


def value_at(run: Run, metric: str) -> tuple[float, bool] | None:
    """A run's validation at the iteration where it stopped, kept for later rungs; and whether higher is better."""
    file, name = run.place / RUNGS, f"{metric} {run.stop_at}"
    known = read_typed(file, kept.RUNGS)
    if name not in known:
        report = read_typed(run.place / "train" / "report.json", kept.REPORT)
        rows = [row for title, row in report.get("rows", {}).items() if title.endswith(f"({run.stop_at} iterations)")]
        if not rows or metric not in rows[-1]:
            return None
        known[name] = [float(rows[-1][metric]), report.get("higher_is_better", {}).get(metric, True)]
        write(file, known)
    if misfit(known[name], list[kept.NUMBER | bool]) or len(known[name]) != 2:
        raise UserError(f"{file}: is damaged: {name} is no value; remove it to have it made anew")
    value, rising = known[name]
    return float(value), bool(rising)

"""What a monitor may do about a verdict: rest the discriminators, lower a rate, roll back to when all was well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import barrier, is_distributed

from toolbox import RunFailed
from toolbox.engine.random_state import seed_all
from toolbox.engine.schedules import SCALED, scale_rates
from toolbox.weights.checkpoint import read_checkpoint, write_checkpoint
from toolbox.weights.state import load_portable_state, portable_state

ACTIONS = ("pause_discriminator", "lower_rates", "roll_back")
CANDIDATE, HEALTHY = "health_candidate.pth", "health_last.pth"
"""A state that was well when it was written, and one that still was at the next look."""


def pause_discriminators(runner: Any, iterations: int) -> str:
    """No discriminator steps for so many iterations."""
    runner.algorithm.judges_rest_until = runner.algorithm.iteration + iterations
    return f"the discriminators rest for {iterations} iterations"


def lower_rates(runner: Any, factor: float) -> str:
    """Multiply every optimizer's rate; schedules go on from there, and a resumed run too."""
    scale_rates(runner.optimizers, runner.running, factor)
    return f"rates times {factor:g}"


def keep(runner: Any, work_dir: Path) -> None:
    """Write this state as a candidate; the last candidate, nothing having gone wrong since, becomes the healthy one."""
    if runner.rank == 0:
        if (work_dir / CANDIDATE).is_file():
            for ending in ("", ".sha256"):
                (work_dir / f"{CANDIDATE}{ending}").replace(work_dir / f"{HEALTHY}{ending}")
        content = {"state_dict": portable_state(runner.algorithm), "optimizer": runner.optimizers.state_dict()}
        write_checkpoint(content, work_dir / CANDIDATE)
    if is_distributed():
        barrier()


def doubt(runner: Any, work_dir: Path) -> None:
    """Something is wrong: the candidate was perhaps ill already."""
    if runner.rank == 0:
        for ending in ("", ".sha256"):
            (work_dir / f"{CANDIDATE}{ending}").unlink(missing_ok=True)


def roll_back(runner: Any, work_dir: Path, number: int, most: int) -> str:
    """Take weights, averages and optimizers from the last healthy state, and go on with other random numbers.

    The run's iteration and its schedules go on, so it sees other data than the first time; degradations, noise and
    the pools, which begin empty, draw other numbers.

    Raises:
        RunFailed: there was no healthy state, or it has been tried too often.
    """
    file = work_dir / HEALTHY
    if number > most:
        raise RunFailed(f"the run fell ill again after {most} roll-backs; lower the rates or change the objective")
    if not file.is_file():
        raise RunFailed("the run fell ill before it was ever healthy; lower the rates or change the objective")
    content = read_checkpoint(file)
    iteration = runner.algorithm.iteration
    load_portable_state(runner.algorithm, content["state_dict"], str(file))
    runner.algorithm.iteration = iteration
    groups = lambda: [g for _, wrapper in runner.optimizers.items() for g in wrapper.optimizer.param_groups]  # noqa: E731
    rates = [{key: group[key] for key in ("lr", "initial_lr", SCALED) if key in group} for group in groups()]
    runner.optimizers.load_state_dict(content["optimizer"])
    for group, rate in zip(groups(), rates, strict=True):
        group.update(rate)
    for _, wrapper in runner.optimizers.items():
        wrapper.zero_grad()  # of a step that was half accumulated
    seed = int(runner.seed or 0) + 7919 * number + runner.rank  # each rank its own: the file holds rank 0's
    seed_all(seed)
    runner.algorithm.data_preprocessor.rng.manual_seed(seed)
    for pool in runner.algorithm.pools.values():
        pool.clear()
    return f"rolled back to the last healthy state (number {number} of {most}), with other random numbers"

"""`benchmark GRID.yaml`: train every combination of a grid, with seeds, and put what came of it on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolbox.cli.arguments import parser, use_plugins
from toolbox.io.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark; returns the exit code, 1 if a run failed."""
    made = parser(
        "benchmark",
        "Train every combination of a grid, with seeds, each in a process of its own; report quality, cost and health. "
        "Called again it continues, and repeats nothing.",
    )
    made.add_argument("grid", metavar="GRID", help="a YAML file, or the name of a shipped one: benchmark/sr_small.yaml")
    made.add_argument("-o", "--out", metavar="DIR", help="runs and report; by default work_dirs/benchmark/NAME")
    made.add_argument("--dry-run", action="store_true", help="list runs and refusals, probe a few steps, and stop")
    made.add_argument("--slots", type=int, help="runs at once; by default cores / threads, or one for each GPU")
    made.add_argument("--threads", type=int, default=1, help="threads of each run (default: 1); they change last bits")
    made.add_argument("--gpus", nargs="+", default=[], metavar="ID", help="GPUs to share out, one for each slot")
    made.add_argument("--engine", choices=("local", "ray"), default="local", help="this machine, or a Ray cluster")
    made.add_argument("--retry-failed", action="store_true", help="try runs again that failed, or that halving cut")
    options = made.parse_args(arguments)
    for name in ("slots", "threads"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise UserError(f"--{name} {getattr(options, name)}: give a number, 1 or more")

    from toolbox.benchmark.grid import read_grid

    grid = read_grid(options.grid)
    use_plugins(options.plugins)
    folder = Path(options.out) if options.out else Path("work_dirs") / "benchmark" / grid.file.stem

    from toolbox.benchmark.conduct import Conductor, claimed
    from toolbox.benchmark.plan import Order
    from toolbox.io.console import console

    with claimed(grid, folder):
        engine = engine_of(options)
        try:
            conductor = Conductor(grid, Order(folder, tuple(options.plugins), options.threads), engine)
            if options.dry_run:
                conductor.show_plan()
                return 0
            report = conductor.run(retry=options.retry_failed)
        finally:
            engine.stop()
            engine.close()
    console.print(
        f"{folder / 'report.html'} is for a browser; report.md, results.csv and results.jsonl say the same",
        soft_wrap=True,
    )
    return 1 if report["failures"] or not report["tables"] else 0


def engine_of(options: Any) -> Any:
    """The engine that the options ask for."""
    from toolbox.assembly.machine import cores
    from toolbox.benchmark.engines import LocalEngine, RayEngine

    slots = options.slots or len(options.gpus) or max(1, cores() // options.threads)
    if options.engine == "ray":
        if options.gpus:
            raise UserError("--gpus: Ray shares out its GPUs itself; leave it out")
        import torch

        return RayEngine(slots, options.threads, 1.0 if torch.cuda.is_available() else 0.0)
    return LocalEngine(slots, options.gpus)

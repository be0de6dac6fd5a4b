"""Kills a benchmark's conductor, and then the processes of its runs, at random moments, and compares the reports.

    python tests/benchmark/killed_benchmark.py --kills 10

After the conductor is killed, the same command goes on; a run that is killed goes on by itself. Prints each kill; ends
with exit code 0 if metrics and weights are those of an undisturbed benchmark.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from grids import VARIANTS, arguments, environment, report, results, tiny_grid

TWO = {"Vanilla": VARIANTS["Vanilla"], "hinge": VARIANTS["hinge"]}
LIMIT = 600.0
"""Seconds after which what is left of a benchmark hangs."""


def workers_of(conductor: int) -> list[int]:
    """The processes of runs that a conductor has started and that live."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == conductor and b"toolbox.benchmark.worker" in (place / "cmdline").read_bytes():
                found.append(int(place.name))
    return found


def start(command: list[str]) -> subprocess.Popen[str]:
    """Start a benchmark."""
    return subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )  # fmt: skip


def end(process: subprocess.Popen[str]) -> str:
    """Wait for a benchmark; how it ended."""
    try:
        said = process.communicate(timeout=LIMIT)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        return "hung"
    return "done" if process.returncode == 0 else f"exit code {process.returncode}: {said[-500:]}"


def conductors(command: list[str], kills: int, rng: random.Random, say: Callable[[str], Any]) -> str:
    """Kill the conductor `kills` times, begin again at once each time; how the last one ended."""
    for number in range(kills):
        process = start(command)
        while number % 3 and not workers_of(process.pid) and process.poll() is None:  # two of three while it has runs
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0, 8))
        if process.poll() is None:
            say(f"conductor {number + 1} of {kills} killed with {len(workers_of(process.pid))} runs")
        process.kill()
        process.communicate()
    return end(start(command))


def workers(command: list[str], kills: int, rng: random.Random, say: Callable[[str], Any]) -> str:
    """Kill one of the runs' processes `kills` times; how the benchmark ended."""
    process, killed = start(command), 0
    while killed < kills and process.poll() is None:
        time.sleep(rng.uniform(2, 15))
        if living := workers_of(process.pid):
            with suppress(ProcessLookupError):
                os.kill(rng.choice(living), signal.SIGKILL)
                killed += 1
                say(f"run {killed} of {kills} killed")
    return end(process)


def main(kills: int, seed: int = 0, say: Callable[[str], Any] = print, iterations: int = 400) -> dict[str, str]:
    """By who was killed: `equal`, or how it differs."""
    rng, found = random.Random(seed), {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        grid = tiny_grid(folder, {"variant": TWO}, seeds=[0, 1], budget={"iterations": iterations})
        if (how := end(start(arguments(grid, folder / "whole", "--slots", 2)))) != "done":
            raise RuntimeError(f"the undisturbed benchmark: {how}")
        for kill in (conductors, workers):
            out = folder / kill.__name__
            how = kill(arguments(grid, out, "--slots", 2), kills, rng, say)
            if how == "done":
                failures = "; ".join(each["reason"] for each in report(out)["failures"])
                how = failures or ("equal" if results(out) == results(folder / "whole") else "different")
            found[kill.__name__] = how
            say(f"{kill.__name__} killed {kills} times: {how}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    raise SystemExit(0 if set(main(options.kills, options.seed).values()) == {"equal"} else 1)

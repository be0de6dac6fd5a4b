"""Kills a random rank of a run under torchrun at a random moment, and compares the end with an undisturbed run.

    python tests/engine/killed_ranks.py --tries 20

Each try is a run of two processes that torchrun restarts, killed (`kill -9`) once at one of MOMENTS. It must end by
itself, within `LIMIT` seconds, with the weights of the undisturbed run, bit for bit. Prints each try; ends with exit
code 0 if all did.
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
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from runs import command, sr_config, weights, write_config
from toolbox.weights.checkpoint import checkpoints
from two_ranks import on_two_ranks

PLUGIN = Path(__file__).with_name("telling_plugin.py")
TRAIN = Path(__file__).parents[2] / "tools" / "train.py"
MOMENTS = ("start", "training", "save", "validation", "end")
"""In the first seconds; at any time after the first checkpoint; in a save; in a validation; in the last steps."""
LIMIT = 120.0
"""Seconds that a try may last; after that it hangs."""
ITERATIONS = 24


def config_of(folder: Path) -> dict[str, Any]:
    """A run that saves often and validates four times; half a second of work, so that starting is most of a try."""
    config = sr_config(folder, variant={"type": "WGANGP"})
    config["train_cfg"] = {"max_iters": ITERATIONS, "val_interval": 6}
    config["default_hooks"] = {"checkpoint": {"interval": 3, "max_keep_ckpts": 2}, "samples": None}
    config["custom_hooks"] = [{"type": "Telling"}]
    return config


def start(file: Path, work_dir: Path, *arguments: object) -> subprocess.Popen[str]:
    """Start the run as a person would."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--max-restarts=3", "--standalone"]
    command = [*launch, str(TRAIN), str(file), "-p", str(PLUGIN), "--work-dir", str(work_dir), "--launcher", "pytorch"]
    return subprocess.Popen(
        [*command, *map(str, arguments)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def undisturbed(file: Path, work_dir: Path, folder: Path, rank: int) -> dict[str, Any]:
    """The whole run in one of two processes that nobody kills."""
    if command("train", file, "-p", PLUGIN, "--work-dir", work_dir, "--launcher", "pytorch"):
        raise RuntimeError("the undisturbed run failed")
    return {}


def ranks_of(launcher: int) -> list[int]:
    """The processes that torchrun has started and that live, by rank."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError, KeyError):  # it has just ended, or just begun
            if int((place / "stat").read_text().rpartition(")")[2].split()[1]) == launcher:
                told = dict(part.split("=", 1) for part in (place / "environ").read_text().split("\0") if "=" in part)
                found[int(told["RANK"])] = int(place.name)
    return [found[rank] for rank in sorted(found)]


def await_moment(moment: str, work_dir: Path, process: subprocess.Popen[str], rng: random.Random) -> None:
    """Wait until it is time to kill, or the run has ended."""

    def come() -> bool:
        if moment == "start":
            return len(ranks_of(process.pid)) == 2
        if moment == "save":
            return any(work_dir.glob(".iter_*.part"))
        if moment == "training":
            return bool(checkpoints(work_dir))
        return (work_dir / f"telling_{moment}").exists()

    while not come() and process.poll() is None:
        time.sleep(0.002)
    time.sleep(rng.uniform(0, {"start": 8.0, "training": 1.5, "end": 0.4}.get(moment, 0.02)))


def one_try(file: Path, work_dir: Path, moment: str, rng: random.Random, limit: float = LIMIT) -> tuple[str, str]:
    """One run that is killed once; returns how it ended (`finished`, `error`, `hung`) and what it said."""
    with start(file, work_dir) as process:
        try:
            await_moment(moment, work_dir, process, rng)
            ranks = ranks_of(process.pid)
            victim = rng.randrange(2)
            if len(ranks) == 2:
                os.kill(ranks[victim], signal.SIGKILL)
            at = checkpoints(work_dir)[0].stem if checkpoints(work_dir) else "no checkpoint"
            where = f"rank {victim} killed ({moment}, {at})" if len(ranks) == 2 else f"not killed ({moment})"
            began = time.monotonic()
            try:
                said = process.communicate(timeout=limit)[1]
            except subprocess.TimeoutExpired:
                return "hung", where
            took = f"{where}, {time.monotonic() - began:.1f} s more"
            return ("finished", took) if process.returncode == 0 else ("error", f"{took}\n{said}")
        finally:
            for left in (*ranks_of(process.pid), process.pid):
                with suppress(ProcessLookupError):
                    os.kill(left, signal.SIGKILL)


def differing(whole: Path, other: Path) -> int:
    """How many tensors of the last checkpoints differ."""
    one, two = (weights(run / f"iter_{ITERATIONS}.pth") for run in (whole, other))
    return sum(not torch.equal(value, two[name]) for name, value in one.items())


def main(tries: int, seed: int, moments: tuple[str, ...] = MOMENTS, say: Any = print) -> Counter[str]:
    """Kill in `tries` runs; returns how many were `equal`, `different`, `error` and `hung`."""
    rng, found = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        file = write_config(config_of(folder), folder / "run.yaml")
        on_two_ranks(partial(undisturbed, file, folder / "whole"), folder)
        for number in range(tries):
            run = folder / f"run_{number}"
            end, said = one_try(file, run, moments[number % len(moments)], rng)
            if end == "finished":
                end = "different" if differing(folder / "whole", run) else "equal"
            found[end] += 1
            say(f"try {number + 1} of {tries}: {end}: {said}", flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--moments", nargs="+", choices=MOMENTS, default=MOMENTS)
    options = parser.parse_args()
    result = main(options.tries, options.seed, tuple(options.moments))
    print(", ".join(f"{count} {name}" for name, count in result.items()))
    raise SystemExit(0 if result["equal"] == options.tries else 1)

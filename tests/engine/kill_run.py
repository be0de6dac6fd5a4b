"""Kills a training run with SIGKILL at random moments, resumes it each time, and compares it with an undisturbed one.

    python tests/engine/kill_run.py --kills 50

Saves after every iteration, so that many kills fall into a save. Prints each kill; ends with exit code 0 if the final
weights are equal, bit for bit, and no checkpoint was ever unloadable.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import torch
from hard_runs import HARD, PLUGIN

from forked import Forked
from runs import weights, write_config
from toolbox.weights.checkpoint import checkpoints


def start(file: Path, work_dir: Path) -> Forked:
    """Start or resume the run in a process of its own."""
    command = [sys.executable, "-m", "toolbox.cli", "train", file, "-p", PLUGIN, "--resume", "--work-dir", work_dir]
    return Forked(command, stderr=subprocess.PIPE)


def newest(work_dir: Path) -> str:
    """Name of the newest checkpoint."""
    found = checkpoints(work_dir)
    return found[0].name if found else ""


def finish(process: Forked) -> None:
    """Wait for a run that must succeed."""
    with process:
        _, errors = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"a run did not resume:\n{errors[-2000:]}")


def main(kills: int, name: str, seed: int) -> int:
    """Kill `kills` times; returns the exit code."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = HARD[name](folder)
        config["train_cfg"] = {"max_iters": 20 + 20 * kills, "val_interval": 10**6}
        config["default_hooks"] = {"checkpoint": {"interval": 1, "max_keep_ckpts": 2}}
        file = write_config(config, folder / "run.yaml")
        finish(start(file, folder / "whole"))
        inside = 0
        for number in range(kills):
            before = newest(folder / "run")
            with start(file, folder / "run") as process:
                while newest(folder / "run") == before and process.poll() is None:
                    time.sleep(0.005)
                time.sleep(rng.uniform(0, 0.3))
                if process.poll() is not None:
                    print("the run ended before the kill; fewer kills were made than asked for")
                    break
            torn = list((folder / "run").glob(".*.partial"))
            inside += bool(torn)
            print(f"kill {number + 1} of {kills} at {newest(folder / 'run')}{', inside a save' if torn else ''}")
        finish(start(file, folder / "run"))
        last = f"iter_{config['train_cfg']['max_iters']}.pth"
        whole, killed = weights(folder / "whole" / last), weights(folder / "run" / last)
        different = [key for key in whole if not torch.equal(whole[key], killed[key])]
        leftovers = [path.name for path in (folder / "run").glob(".*.partial")]
        print(
            f"{inside} kills fell inside a save; {len(different)} tensors differ; left over: {leftovers or 'nothing'}"
        )
        return 1 if different or leftovers else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--system", choices=HARD, default="SRGAN")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    raise SystemExit(main(options.kills, options.system, options.seed))

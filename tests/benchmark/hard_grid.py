"""The long form of test_benchmark's promises: 12 cells x 3 seeds, undisturbed, killed thrice, in one slot, by Ray.

    python tests/benchmark/hard_grid.py FOLDER

Prints how many runs each way made, how many of the killed one's were interrupted, and whether all results are equal bit
for bit.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from grids import DISCRIMINATORS, VARIANTS, arguments, environment, results, run_killed, tiny_grid, trainings


def main(folder: Path) -> None:
    """Run the grid four ways and compare."""
    grid = tiny_grid(folder, {"variant": VARIANTS, "discriminator": DISCRIMINATORS}, seeds=[0, 1, 2])
    found = {}
    for name, more in {"two slots": ("--slots", 2), "one slot": ("--slots", 1), "Ray": ("--engine", "ray")}.items():
        subprocess.run(arguments(grid, folder / name, *more), env=environment(), check=True)
        found[name] = results(folder / name)
        print(f"{name}: {len(found[name])} runs done", flush=True)
    moments = [random.uniform(15, 45) for _ in range(3)]
    code = run_killed(arguments(grid, folder / "killed"), moments)
    found["killed"] = results(folder / "killed")
    parts = sum(count > 1 for count in trainings(folder / "killed").values())
    seconds = ", ".join(f"{each:.1f}" for each in moments)
    print(f"killed after {seconds} s: exit code {code}, {len(found['killed'])} runs done, {parts} in several parts")
    for name, each in found.items():
        print(f"{name}: {'equal' if each == found['two slots'] else 'DIFFERENT'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

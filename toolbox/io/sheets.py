"""Where a run's sheets of samples lie: `samples/iter_N.png` in its folder, one for each evaluation."""

from __future__ import annotations

from pathlib import Path

FOLDER = "samples"


def sheet_of(folder: Path, iteration: int) -> Path:
    """The sheet of an iteration of the run in `folder`, whether it was drawn or not."""
    return folder / FOLDER / f"iter_{iteration}.png"


def sheets(folder: Path) -> dict[int, Path]:
    """The sheets of the run in `folder` by iteration, the latest last; other files beside them are none."""
    stems = (file.stem.removeprefix("iter_") for file in (folder / FOLDER).glob("iter_*.png"))
    return {iteration: sheet_of(folder, iteration) for iteration in sorted(int(s) for s in stems if s.isdecimal())}

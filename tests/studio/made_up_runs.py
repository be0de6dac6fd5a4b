"""Folders of trainings as they are while these go on."""

from __future__ import annotations

import json
from pathlib import Path


def step(folder: Path, iteration: int, **values: float) -> None:
    """One line more of a run that is still going on."""
    with open(folder / "20260101_000000/vis_data/scalars.json", "a", encoding="utf-8") as file:
        file.write(
            json.dumps({**{name.replace("__", "/"): value for name, value in values.items()}, "step": iteration}) + "\n"
        )


def made_up_run(root: Path, name: str, values: tuple[float, ...]) -> Path:
    folder = root / "work_dirs" / name
    (folder / "20260101_000000/vis_data").mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "model: {type: SRGAN}\ntrain_cfg: {max_iters: 100}\ntrain_dataloader: {batch_size: 4}\n"
    )
    (folder / ".lock").touch()
    for number, value in enumerate(values, 1):
        step(folder, 10 * number, g__pixel=value, time=0.5)
    return folder

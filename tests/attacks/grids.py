"""Damaged grids of a benchmark: read, and their cells made, as `benchmark --dry-run` begins."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from attacks import attack
from attacks.configs import PIECES, as_text, configs
from attacks.damage import STRUCTURAL, drawn, rearranged, scrambled
from toolbox.benchmark.cells import cells_of
from toolbox.benchmark.grid import read_grid

GRID: dict[str, Any] = {
    "title": "small",
    "base": "base.yaml",
    "options": {"train_cfg.max_iters": 4},
    "axes": {
        "variant": {
            "LSGAN": {"model.variant": {"type": "LSGAN"}},
            "WGAN-GP": {"model.variant": {"type": "WGANGP"}, "model.losses.pixel.0.weight": 0.1},
        },
        "width": {"4": {"model.generator.width": 4}, "8": {"model.generator.width": 8, "base": "base.yaml"}},
    },
    "include": [{"variant": ["LSGAN", "WGAN-GP"]}],
    "exclude": [{"variant": "WGAN-GP", "width": "8"}],
    "seeds": [0, 1],
    "budget": {"iterations": 4},
    "baseline": {"variant": "LSGAN", "width": "4"},
    "rank_by": "psnr",
    "cost_by": "gmacs",
    "sizes": [32],
    "samples": 1,
    "halving": {"rungs": [0.5], "keep": 0.5, "metric": "psnr"},
    "limits": {"minutes": 1.0},
}


class Attack(attack.Attack):
    """The grid or the config that it begins with is damaged."""

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        whole: dict[str, Any] = {"grid.yaml": GRID, "base.yaml": configs()[0]}
        for name, data in whole.items():
            (folder / name).write_bytes(as_text(data))
        name = draw.choice(["grid.yaml", "grid.yaml", "base.yaml"])
        if draw.random() < 0.6:
            (folder / name).write_bytes(as_text(rearranged(whole[name], drawn(draw, STRUCTURAL))))
        else:
            (folder / name).write_bytes(scrambled(as_text(whole[name]), drawn(draw), PIECES))
        cells = cells_of(read_grid(folder / "grid.yaml"))
        for cell in cells:
            problem = attack.problem_of_line(cell.refused) if cell.refused else None
            assert problem is None, f"{problem}: {cell.refused}"
        return False

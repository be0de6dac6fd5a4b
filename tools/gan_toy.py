"""Trains GAN variants on 8 Gaussians on a ring (or 25 on a grid), several seeds each: a table and a picture.

    python tools/gan_toy.py --seeds 10 -o docs/gan_ring.png

Prints, for each variant, in how many seeds all modes were covered at the end, when first, and how many points lie near
a mode. The picture shows the points of the first seed after training. Adam, rate 1e-3, betas (0, 0.99), batch 256,
1,500 updates of the generator (WGANGP 600, each after 5 of the critic); "fast" is rate 1e-2.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from toolbox_plugins.toy.experiment import Run, train
from toolbox_plugins.toy.mixture import centres


def zero_centred(*names: str, weight: float = 0.1) -> list[dict[str, Any]]:
    """Regularizers on the slope in the plane."""
    return [{"type": name, "weight": weight, "image_span": 10.0} for name in names]


VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Vanilla": ({"type": "Vanilla"}, {}),
    "Vanilla, fast": ({"type": "Vanilla"}, {"rate": 1e-2}),
    "Vanilla + R1": ({"type": "Vanilla", "regularizers": zero_centred("R1")}, {}),
    "Vanilla + R1, fast": ({"type": "Vanilla", "regularizers": zero_centred("R1", weight=1.0)}, {"rate": 1e-2}),
    "Hinge + SN": ({"type": "SpectralNorm", "base": {"type": "Hinge"}}, {}),
    "LSGAN": ({"type": "LSGAN"}, {}),
    "WGANGP": ({"type": "WGANGP", "image_span": 10.0, "weight": 0.1}, {"steps": 600}),
    "RpGAN + R1 + R2": ({"type": "RpGAN", "regularizers": zero_centred("R1", "R2")}, {}),
}
"""Each variant's config, and what of the training is its own."""
SIDE, REACH = 160, {"ring": 3.0, "grid": 5.5}


def main() -> None:
    """Read the command line, train, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layout", choices=sorted(REACH), default="ring")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("-o", dest="output", type=Path, help="the picture to write, a .png")
    options = parser.parse_args()
    torch.set_num_threads(1)
    shown = {}
    print("| variant | seeds with all modes | modes, mean | first covered at, median | points near a mode |")
    print("|---|---:|---:|---:|---:|")
    for name in options.only:
        variant, own = VARIANTS[name]
        settings = {"steps": options.steps, **own}
        runs = [train(variant, layout=options.layout, seed=seed, **settings) for seed in range(options.seeds)]
        shown[name] = runs[0]
        print(row(name, runs, len(centres(options.layout))), flush=True)
    if options.output:
        draw(shown, options.layout).save(options.output)


def row(name: str, runs: list[Run], modes: int) -> str:
    """One line of the table."""
    full = sum(run.modes == modes for run in runs)
    first = [run.first for run in runs if run.first is not None]
    when = f"{median(first):.0f} ({len(first)} of {len(runs)})" if first else "never"
    mean, good = np.mean([run.modes for run in runs]), np.mean([run.good for run in runs])
    lost = sum(run.diverged for run in runs)
    note = f", {lost} diverged" if lost else ""
    return f"| {name} | {full} of {len(runs)}{note} | {mean:.1f} | {when} | {good:.0%} |"


def draw(runs: dict[str, Run], layout: str) -> Image.Image:
    """The points of each run over circles at the modes, four runs in a row."""
    columns = min(4, len(runs))
    rows = -(-len(runs) // columns)
    sheet = Image.new("RGB", (columns * SIDE, rows * (SIDE + 16)), "white")
    pen = ImageDraw.Draw(sheet)
    place = lambda point: SIDE / 2 + SIDE / 2 * np.asarray(point) / REACH[layout]  # noqa: E731
    for number, (name, run) in enumerate(runs.items()):
        left, top = number % columns * SIDE, number // columns * (SIDE + 16)
        pen.text((left + 4, top + 2), name, fill="black")
        for centre in centres(layout):
            x, y = place(centre) + np.array([left, top + 16])
            pen.ellipse((x - 7, y - 7, x + 7, y + 7), outline=(200, 120, 0))
        for point in run.points[:600]:
            x, y = place(point)
            if 0 <= x < SIDE and 0 <= y < SIDE:
                pen.point((left + x, top + 16 + y), fill=(0, 60, 160))
    return sheet


if __name__ == "__main__":
    main()

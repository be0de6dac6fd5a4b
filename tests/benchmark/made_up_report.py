"""A benchmark's report of made-up numbers, of any size, with names that would do harm if they were read as HTML."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.io.images import write_image

HOSTILE = '<img src=x onerror="document.title=1">'
SCRIPT = "</script><script>document.title = 2</script> \u2028 <!-- {{script}} {{title}}"
VARIANTS, DISCRIMINATORS = ("Vanilla", "LSGAN", "Hinge", HOSTILE), ("patch", "unet", "multi-scale")


def made_up_report(
    variants: tuple[str, ...] = VARIANTS,
    discriminators: tuple[str, ...] = DISCRIMINATORS,
    seeds: tuple[int, ...] = (0, 1, 2),
    tables: int = 1,
) -> dict[str, Any]:
    """A report as `summarize` gives it: every variant with every discriminator, in so many tables."""
    report = {
        "kind": "benchmark",
        "title": f"Variants and discriminators {HOSTILE}",
        "description": "Made up for tests.\nNo number here was measured.",
        "grid": "configs/benchmark/made_up.yaml",
        "made": "2026-11-23",
        "versions": {"torch": "2.13.0", "gan-toolbox": "0.1.0", HOSTILE: HOSTILE},
        "axes": {"variant": list(variants), "discriminator": list(discriminators)},
        "seeds": list(seeds),
        "baseline": {"variant": variants[0], "discriminator": discriminators[0]},
        "rank_by": "lite0_distance",
        "metrics": {"psnr": {"higher_is_better": True}, "lite0_distance": {"higher_is_better": False}},
        "costs": {
            "parameters": {"label": "parameters", "unit": "", "higher_is_better": False},
            "gmacs_128": {"label": "GMACs at 128²", "unit": "", "higher_is_better": False},
            "step_seconds": {"label": "training step", "unit": "s", "higher_is_better": False},
            "images_per_s_128": {"label": "throughput at 128²", "unit": "images/s", "higher_is_better": True},
        },
        "tables": [],
        "refused": [{"id": f"{HOSTILE} / pixel", "reason": f"a rule said: {SCRIPT}"}],
        "notes": [{"id": "Vanilla / patch", "note": "seldom goes well together"}],
        "failures": [],
        "cut": [{"id": "LSGAN / unet", "seed": 1, "iteration": 100}],
        "runs": {},
        "samples": [],
    }
    cells = [(v, d) for v in variants for d in discriminators]
    for number in range(tables):
        rows = [_cell(report, number, place, *names) for place, names in enumerate(cells)]
        effects = {
            name: {
                axis: {each: _spread(0.4 * math.sin(k + 1), 0.25, len(seeds), signed=True) for k, each in enumerate(of)}
                for axis, of in report["axes"].items()
            }
            for name in report["metrics"]
        }
        table = {
            "title": f"×{4 * (number + 1)}, 300 iterations",
            "protocols": {"psnr": "psnr[Y601,crop4,uint8,peak255]", "lite0_distance": "lite0[crop4]"},
            "data": "test",
            "weights": "averaged",
            "budget": "300 iterations",
            "pareto_cost": "gmacs_128",
            "do_nothing": {"psnr": 28.5},
            "cells": rows,
            "effects": effects,
        }
        report["tables"].append(table)
    _failed_run(report, cells[-1], seeds[0])
    return report


def with_pictures(report: dict[str, Any], folder: Path, size: int = 48) -> dict[str, Any]:
    """The report with two sample pictures, their files written below the folder; one file is missing."""
    for number, name in enumerate(("astronaut", HOSTILE)):
        y, x = np.mgrid[0:size, 0:size] / size
        clean = np.stack([x, y, (np.sin(20 * x * (number + 1)) + 1) / 2], 2)
        cells = []
        for table, each in enumerate(report["tables"]):
            for place, cell in enumerate(each["cells"]):
                noisy = clean + np.random.default_rng(place).normal(0, 0.01 * place, clean.shape)
                cells.append([table, cell["id"], _written(folder, f"samples/{number}_{table}_{place}.png", noisy)])
        versions = {
            "input": _written(folder, f"samples/{number}_input.png", clean[::4, ::4]),
            "bicubic": "samples/not_there.webp",
            "reference": _written(folder, f"samples/{number}_reference.webp", clean),
        }
        report["samples"].append({"name": name, "versions": versions, "cells": cells})
    return report


def _cell(report: dict[str, Any], table: int, place: int, variant: str, discriminator: str) -> dict[str, Any]:
    seeds, name = report["seeds"], f"{variant} / {discriminator}"
    quality = math.sin(1 + 2.3 * place)
    middle = {"psnr": 29 + quality, "lite0_distance": 0.42 - 0.09 * quality}
    keys = []
    for seed in seeds:
        key = f"{table:02x}{place:02x}{seed:02x}beef"
        keys.append(key)
        report["runs"][key] = {
            "cell": name,
            "table": table,
            "data": "",
            "seed": seed,
            "state": "done",
            "iterations": 300,
            "threads": 1,
            "needs": {},
            "folder": f"runs/{key}",
            "config": f"model:\n  type: SRGAN  # {SCRIPT}\n",
            "log": f"iteration 300 {HOSTILE}",
            "plugins": {"srgan": "0.1.0", "losses": "0.1.0"},
            "torch": "2.13.0",
            "load": 1.9,
            "metrics": {metric: value + 0.01 * seed for metric, value in middle.items()},
            "costs": {"parameters": 1000.0 * 2**place, "step_seconds": None},
            "curves": {
                "g/pixel": [[10 * k, (1 + place) / (k + seed + 1)] for k in range(1, 31)],
                "val/psnr": [[50 * k, middle["psnr"] - 3 / k + 0.05 * seed] for k in range(1, 7)] + [[350, None]],
            },
        }
    difference = _spread(0.2 * quality, 0.1, len(seeds), signed=True) if place else None
    return {
        "id": name,
        "alternatives": {"variant": variant, "discriminator": discriminator},
        "iterations": 300,
        "metrics": {
            metric: {
                **_spread(value, 0.02 * value, len(seeds)),
                "values": {str(seed): value for seed in seeds},
                "difference": difference,
            }
            for metric, value in middle.items()
        },
        "costs": {
            "parameters": 1000.0 * 2**place,
            "gmacs_128": 0.5 + 0.13 * place,
            "step_seconds": None if place == 1 else 0.1 + 0.01 * place,
            "images_per_s_128": 90.0 / (1 + place),
        },
        "health": {
            "verdicts": [f"d wins: {HOSTILE}"] if place == 2 else [],
            "skipped": place == 3,
            "ill_at_the_end": 0,
        },
        "pareto": place in (0, 3),
        "failed": 0,
        "runs": keys,
    }


def _spread(mean: float, half: float, values: int, *, signed: bool = False) -> dict[str, Any]:
    low, high = (mean - half, mean + half) if values > 1 else (None, None)
    noise = {"noise": low is None or high is None or low <= 0 <= high} if signed else {}
    return {"mean": mean, "low": low, "high": high, **noise}


def _failed_run(report: dict[str, Any], cell: tuple[str, str], seed: int) -> None:
    name = " / ".join(cell)
    failure = {"id": name, "seed": seed, "stage": "training", "reason": f"RuntimeError: {HOSTILE}", "run": "dead"}
    report["failures"].append(failure)
    report["runs"]["dead"] = {
        "cell": name, "table": None, "data": "", "seed": seed, "state": "failed", "iterations": 300, "threads": 1,
        "folder": "runs/dead", "config": "model: {}", "log": "Traceback", "metrics": {}, "costs": {}, "curves": {},
    }  # fmt: skip
    report["tables"][0]["cells"][-1]["failed"] = 1


def _written(folder: Path, name: str, image: np.ndarray) -> str:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    write_image(folder / name, np.clip(image * 255, 0, 255).round().astype(np.uint8))
    return name

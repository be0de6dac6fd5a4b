"""One network for style and super-resolution against cascades of two: trains all, tests all, prints the table.

    python tools/joint_benchmark.py --oracle palette --scale 4 --seeds 0 1 2 -o work_dirs/joint_benchmark

Every row gets the same minutes of training: the joint network all of them, each stage of a cascade half (--minutes, at
the speeds of SPEED, measured on one thread; the log says how long each really took). A super-resolution of art begins
with the photographs' and gets a quarter more. What is trained already is not trained again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

BASELINES = "configs/joint/baselines/"
SPEED = {"joint": 0.2, "cyclegan": 0.086, "cut": 0.18, "cyclegan_lr": 0.113, "cut_lr": 0.2, "sr": 0.028}
"""Seconds of an iteration in bfloat16, on one thread of two busy ones (AMX)."""


class Training(NamedTuple):
    """One network's training: its config, iterations, options, and the training whose weights it begins with."""

    config: str
    iterations: int
    options: tuple[str, ...] = ()
    start: str = ""


class Row(NamedTuple):
    """One way from a small photograph to a large picture: the config that tests it, and whose weights it takes."""

    config: str
    stages: Mapping[str, str]
    """Slots, and after the colon the trained network's name."""


def trainings(oracle: str, scale: int, minutes: float) -> dict[str, Training]:
    """Everything that one seed trains."""
    art = ("train_dataloader.dataset.transforms_b.0.type=" + ORACLES[oracle],)
    factor = tuple(f"train_dataloader.dataset.transforms_{d}={_shrink(oracle, scale, d)}" for d in "ab")
    size = (f"model.generator.scale={scale}", f"model.degradation.scale={scale}")
    joint = (f"model.generator_ab.scale={scale}", f"model.degradation.scale={scale}")
    if scale == 2:
        size += ("train_dataloader.dataset.transforms.0.size=64",)
        joint += ("train_dataloader.dataset.transforms.0.size=64",)
        factor += ("train_dataloader.dataset.transforms.0.size=128",)

    def iterations(kind: str, share: float = 0.5) -> int:
        return round(60 * minutes * share / SPEED[kind])

    sr = f"sr-x{scale}"
    drawn = ("train_dataloader.dataset.transforms.2.type=" + ORACLES[oracle],)
    return {
        f"joint-{oracle}-x{scale}": Training(f"configs/joint/{oracle}_small.yaml", iterations("joint", 1), joint),
        f"cyclegan-{oracle}": Training("configs/style/cyclegan_small.yaml", iterations("cyclegan"), art),
        f"cut-{oracle}": Training("configs/style/cut_small.yaml", iterations("cut"), art),
        f"cyclegan-{oracle}-small{scale}": Training(
            BASELINES + "cyclegan_lr_small.yaml", iterations("cyclegan_lr"), factor
        ),
        f"cut-{oracle}-small{scale}": Training(BASELINES + "cut_lr_small.yaml", iterations("cut_lr"), factor),
        sr: Training(BASELINES + "sr_small.yaml", iterations("sr"), size),
        f"sr-{oracle}-x{scale}": Training(
            BASELINES + "sr_art_small.yaml", iterations("sr", 0.25), size + drawn, sr
        ),
    }  # fmt: skip


def rows(oracle: str, scale: int) -> dict[str, Row]:
    """Every row of the table."""
    style, small = f"cyclegan-{oracle}:generator_ab", f"cyclegan-{oracle}-small{scale}:generator_ab"
    cut, small_cut = f"cut-{oracle}:generator", f"cut-{oracle}-small{scale}:generator"
    sr, art = f"sr-x{scale}:generator", f"sr-{oracle}-x{scale}:generator"
    first, second = BASELINES + "style_then_sr_small.yaml", BASELINES + "sr_then_style_small.yaml"
    return {
        "joint": Row(f"configs/joint/{oracle}_small.yaml", {"": f"joint-{oracle}-x{scale}"}),
        "bicubic, CycleGAN": Row(BASELINES + "bicubic_then_style_small.yaml", {"second": style}),
        "SR, CycleGAN": Row(second, {"first": sr, "second": style}),
        "CycleGAN, SR": Row(first, {"first": small, "second": sr}),
        "CycleGAN, SR of art": Row(first, {"first": small, "second": art}),
        "SR, CUT": Row(second, {"first": sr, "second": cut}),
        "CUT, SR of art": Row(first, {"first": small_cut, "second": art}),
    }


ORACLES = {"palette": "PaletteOracle", "ink": "InkOracle"}


def _shrink(oracle: str, scale: int, domain: str) -> str:
    painted = f"{{type: {ORACLES[oracle]}, source: real_b}}, " if domain == "b" else ""
    return f"[{painted}{{type: Shrink, factor: {scale}}}]"


def run(arguments: list[str], log: Path) -> None:
    """Run `gan-toolbox ARGUMENTS` on one thread; raises with the log's name if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as file:
        done = subprocess.run(
            [sys.executable, "-m", "toolbox.cli", *arguments], stdout=file, stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"gan-toolbox {' '.join(arguments)} failed; {log} says why")


def train(name: str, training: Training, seed: int, folder: Path) -> Path:
    """Train one network, or find it trained; returns its checkpoint."""
    work = folder / f"seed_{seed}" / name
    checkpoint = work / f"iter_{training.iterations}.pth"
    if checkpoint.is_file():
        return checkpoint
    start = [f"load_from={weights(folder, seed, training.start)}"] if training.start else []
    middle = [f"param_scheduler.{group}.0.begin={training.iterations // 2}" for group in _groups(training)]
    options = [
        f"train_cfg={{max_iters: {training.iterations}}}", "val_dataloader=null", "val_evaluator=null",
        "default_hooks.samples=null", "env_cfg.amp=auto", f"randomness.seed={seed}",
        *middle, *start, *training.options,
    ]  # fmt: skip
    run(["train", training.config, "--work-dir", str(work), "--cfg-options", *options], work.with_suffix(".log"))
    return checkpoint


def _groups(training: Training) -> tuple[str, ...]:
    return ("generator",) if "/sr_" in training.config else ("generator", "discriminator")


def weights(folder: Path, seed: int, name: str) -> Path:
    """The final checkpoint of a training."""
    work = folder / f"seed_{seed}" / name
    return work / (work / "last_checkpoint").read_text().strip()


def test(name: str, row: Row, oracle: str, scale: int, seed: int, folder: Path) -> dict[str, dict[str, float]]:
    """Measure one row, or read what was measured; returns the rows of its report."""
    work = folder / f"seed_{seed}" / f"test of {name}, {oracle} x{scale}"
    if not (work / "report.json").is_file():
        options = [
            f"model.degradation.scale={scale}", "default_hooks.samples=null",
            f"test_dataloader.dataset.transforms_of.real_a.1.type={ORACLES[oracle]}",
        ]  # fmt: skip
        checkpoint = []
        for slot, source in row.stages.items():
            run_name, _, network = source.partition(":")
            file = str(weights(folder, seed, run_name))
            checkpoint += [] if slot else [file]
            options += [f"load_from.{slot}={file}:{network}"] if slot else []
        enlarging = "generator_ab" if "" in row.stages else "second" if "style_then" in row.config else "first"
        options.append(f"model.{enlarging}.scale={scale}")
        run(["test", row.config, *checkpoint, "--work-dir", str(work), "--cfg-options", *options], Path(f"{work}.log"))
    return json.loads((work / "report.json").read_text())["rows"]


def table(found: Mapping[str, list[dict[str, dict[str, float]]]]) -> list[str]:
    """Mean and deviation over the seeds, as Markdown."""
    names = ["psnr", "ssim", "lite0_distance"]
    lines = ["| | PSNR ↑ | SSIM ↑ | lite0 distance ↓ |", "|---|---:|---:|---:|"]
    bicubic = next(iter(found.values()))[0]["do nothing"]
    lines.append("| bicubic | " + " | ".join(f"{bicubic[name]:.3f}" for name in names) + " |")
    for row, seeds in found.items():
        cells = []
        for name in names:
            values = [each["test"][name] for each in seeds]
            spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
            cells.append(f"{mean(values):.3f}{spread}")
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Read the command line, train what is missing, test what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oracle", choices=sorted(ORACLES), default="palette")
    parser.add_argument("--scale", type=int, choices=(2, 4), default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--slots", type=int, default=2, help="trainings at once, one thread each")
    parser.add_argument("--only", nargs="*", help="rows to train and test, for a first look")
    parser.add_argument("-o", dest="folder", type=Path, default=Path("work_dirs/joint_benchmark"))
    options = parser.parse_args()
    kept = {n: r for n, r in rows(options.oracle, options.scale).items() if not options.only or n in options.only}
    plan = trainings(options.oracle, options.scale, options.minutes)
    wanted = {source.partition(":")[0] for row in kept.values() for source in row.stages.values()}
    wanted |= {plan[name].start for name in wanted} - {""}
    with ThreadPoolExecutor(options.slots) as pool:
        for later in (False, True):  # fine-tuning comes after what it begins with
            todo = [(seed, n) for seed in options.seeds for n in plan if n in wanted and bool(plan[n].start) == later]
            list(pool.map(lambda job: train(job[1], plan[job[1]], job[0], options.folder), todo))
        jobs = [(name, row, seed) for seed in options.seeds for name, row in kept.items()]
        done = list(pool.map(lambda j: test(j[0], j[1], options.oracle, options.scale, j[2], options.folder), jobs))
    found: dict[str, list[dict[str, dict[str, float]]]] = {name: [] for name in kept}
    for (name, _, _), report in zip(jobs, done, strict=True):
        found[name].append(report)
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()

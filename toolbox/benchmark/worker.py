"""The process of one run: `python -m toolbox.benchmark.worker FOLDER` trains, tests and measures what the folder says.

It does nothing that a user could not do by `train`, `test` and `infer`: it calls the same commands. It lives as long as
whoever started it: when its standard input ends, so does it, and no orphan writes into a folder that a restarted
benchmark continues.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from toolbox.benchmark.plan import Run, read_order
from toolbox.io.errors import RunStopped

END, RESULT, PROBE, COSTS = "end.json", "result.json", "probe.json", "costs.json"
"""How the process ended, if not well; what the run came to; what a probe measured; what a training cost."""
STOPPED = 4
"""Exit code of a run that somebody asked to stop, and that has saved itself."""
PROBED = 6
"""Steps of a probe."""
POINTS = 60
"""Points that a training curve keeps."""


class Failed(Exception):
    """A command has refused or failed; its own words are the last of the log."""


def main(folder: Path, *, probe: bool = False) -> int:
    """Do what is not done yet; returns the exit code."""
    run = read_order(folder)
    watch_parent()
    (folder / END).unlink(missing_ok=True)
    stage = "starting"
    try:
        limit_memory(run)
        if probe:
            stage = "probing"
            write(folder / PROBE, probed(run))
            return 0
        stage = "training"
        training(run)
        if run.stop_at is not None and run.stop_at < run.iterations:
            return 0
        result: dict[str, Any] = {"key": run.key, "trained": trained(run)}
        if run.stage is None:
            stage = "testing"
            testing(run)
            result["tested"] = tested(run)
            stage = "measuring"
            result["costs"] = costs(run)
        write(folder / RESULT, result)
        return 0
    except RunStopped as error:
        print(error, file=sys.stderr)
        return STOPPED
    except Failed as error:
        write(folder / END, {"stage": stage, "reason": str(error)})
    except BaseException as error:  # whatever it is, it stays in this cell
        traceback.print_exc()
        write(folder / END, {"stage": stage, "reason": out_of_memory(error) or in_one_line(error)})
    return 1


def in_one_line(error: BaseException) -> str:
    """The error, and the last line of code before torch's and mmengine's that it passed."""
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    own = [f"{file.name}:{line}" for file, line in frames if not {"torch", "mmengine"} & set(file.parts)]
    return f"{type(error).__name__}: {' '.join(str(error).split())}{f' ({own[-1]})' if own else ''}"


def watch_parent() -> None:
    """End with whoever holds the other end of standard input."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(3)  # the last checkpoint is whole; nothing else needs an end

    threading.Thread(target=wait, daemon=True).start()


def limit_memory(run: Run) -> None:
    """Have the system refuse more memory than the grid allows, so that one cell does not take it from the others."""
    if "memory_gib" in run.limits and sys.platform == "linux":
        import resource

        size = int(run.limits["memory_gib"] * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def out_of_memory(error: BaseException) -> str | None:
    """One line if that is what the error says."""
    from toolbox.engine.memory import ran_out

    text = " ".join(str(error).split())
    if text.startswith("out of memory"):  # a training has said so already
        return text[:200]
    return f"out of memory: {text[:200]}".rstrip(": ") if ran_out(error) else None


def config_of(run: Run) -> Any:
    """The run's config, with its plugins in this process."""
    from toolbox.config import load_config
    from toolbox.plugins.manager import PluginManager, use

    config = load_config(run.place / "run.yaml")
    use(PluginManager(run.plugins, needed=config.data.get("plugins") or []))
    return config


@contextmanager
def failing() -> Iterator[None]:
    """What the toolbox refuses, or gives up, is a failure with its own words, in the log too."""
    from toolbox.io.errors import RunFailed, UserError

    try:
        yield
    except RunStopped:
        raise
    except (RunFailed, UserError) as error:
        print(f"{'failed' if isinstance(error, RunFailed) else 'error'}: {error}", file=sys.stderr)
        raise Failed(str(error)) from error


# ---------------------------------------------------------------------- training


def training(run: Run) -> None:
    """Train to the end, or to where halving looks; an interrupted training continues."""
    from toolbox.assembly.run import train
    from toolbox.weights.checkpoint import checkpoints

    work = run.place / "train"
    ended = run.checkpoint.is_file() and read(work / COSTS).get("iterations") == run.iterations
    if not run.iterations or ended:
        return
    with failing():
        config = config_of(run)
        config.data["work_dir"] = str(work)
        train(config, resume="auto" if checkpoints(work) else None, stop_at=run.stop_at)


def trained(run: Run) -> dict[str, Any]:
    """What training left: facts of its report, its curves, its health, a hash of its weights."""
    if not run.iterations:
        return {}
    work = run.place / "train"
    report = read(work / COSTS)
    looks = entries(work / "health.jsonl")
    skipped = report.get("skipped_steps", {})
    if max(skipped.values(), default=0) * 2 > run.iterations:
        counts = ", ".join(f"{count} of the {name}" for name, count in skipped.items() if count)
        raise Failed(f"not finite: of {run.iterations} steps {counts} were skipped, and what is left says nothing")
    verdicts = [f"iteration {look['iteration']}: {sentence}" for look in looks for sentence in look["verdicts"]]
    return {
        "iterations": run.iterations,
        "costs": report.get("costs", {}),
        "skipped_steps": skipped,
        "verdicts": verdicts,
        "ill_at_the_end": sorted((looks[-1]["open"] if looks else {}).values()),
        "curves": curves(work),
        "weights": hash_of(run.checkpoint),
    }


def curves(work: Path) -> dict[str, list[list[float]]]:
    """Every logged value over the iterations, of all parts of a run that was interrupted; a later part wins."""
    points: dict[str, dict[int, float]] = {}
    for file in sorted(work.glob("*/vis_data/scalars.json")):
        for entry in entries(file):
            step = int(entry.pop("step", 0))
            for name, value in entry.items():
                if isinstance(value, (int, float)) and not name.startswith(("lr/", "time", "iter")):
                    points.setdefault(name, {})[step] = value
    return {name: thinned(sorted(values.items())) for name, values in points.items()}


def thinned(points: list[tuple[int, float]]) -> list[list[float]]:
    """Some of the points, evenly, the last among them."""
    stride = -(-len(points) // POINTS) if points else 1
    kept = points[::-1][::stride][::-1]
    return [[step, float(f"{value:.5g}")] for step, value in kept]


def hash_of(checkpoint: Path) -> str:
    """SHA-256 of a checkpoint's weights, averages included: equal for equal networks, whenever they were trained."""
    from torch import Tensor, uint8

    from toolbox.weights.checkpoint import read_checkpoint

    whole = hashlib.sha256()
    for name, value in sorted(read_checkpoint(checkpoint)["state_dict"].items()):
        if isinstance(value, Tensor):
            whole.update(name.encode())
            whole.update(value.detach().contiguous().reshape(-1).view(uint8).numpy().tobytes())
    return whole.hexdigest()


# ---------------------------------------------------------------------- testing and measuring


def testing(run: Run) -> None:
    """`test` the last checkpoint, or the networks that `load_from` names."""
    from toolbox.assembly.run import test

    report = run.place / "test" / "report.json"
    if not report.is_file():
        with failing():
            test(config_of(run), str(run.checkpoint) if run.iterations else None, work_dir=report.parent)


def tested(run: Run) -> dict[str, Any]:
    """The test's report, as it is."""
    return read(run.place / "test" / "report.json")


def costs(run: Run) -> dict[str, Any]:
    """What the trained networks cost in use, measured here."""
    from toolbox.assembly.loading import TrainedOutput, load_algorithm, usable_device
    from toolbox.benchmark.costs import inference_costs

    config = config_of(run)
    device = usable_device("cuda" if _cuda() else "cpu")
    algorithm = load_algorithm(config, run.checkpoint if run.iterations else None, device=device)
    return inference_costs(TrainedOutput(algorithm), run.sizes)


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def probed(run: Run) -> dict[str, Any]:
    """Seconds of a step and memory, by a few steps without validation, from whatever weights there are."""
    from toolbox.assembly.runner import build_runner
    from toolbox.engine.costs import StepClock
    from toolbox.engine.reporting import ReportHook

    config = config_of(run)
    config.data |= {"load_from": None, "work_dir": str(run.place / "probe"), "custom_hooks": []}
    config.data["train_cfg"] = {**config.data["train_cfg"], "max_iters": PROBED}
    config.data["default_hooks"] = {**(config.data.get("default_hooks") or {}), "checkpoint": None, "samples": None}
    start = time.perf_counter()
    runner = build_runner(config, splits=("train",))
    hook = next(hook for hook in runner.hooks if isinstance(hook, ReportHook))
    hook.clock = clock = StepClock(waiting=True)
    runner.train()
    return {**clock.facts(), "whole_seconds": time.perf_counter() - start}


# ---------------------------------------------------------------------- files


def read(path: Path) -> dict[str, Any]:
    """A JSON file; empty where there is none."""
    from toolbox.io.files import read_json

    return read_json(path) if path.is_file() else {}


def lines(path: Path) -> list[str]:
    """A file's lines; none where there is no file."""
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def entries(path: Path) -> list[dict[str, Any]]:
    """A file's lines of JSON, but for one that was cut short when its writer was killed."""
    found = []
    for line in lines(path):
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON whole or not at all."""
    from toolbox.engine.report import strict
    from toolbox.io.files import replace_text

    replace_text(path, json.dumps(strict(content), allow_nan=False) + "\n")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), probe="--probe" in sys.argv[2:]))

"""A whole training, and a whole test, of a config that was read: what `train` and `test` do on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from toolbox.assembly.check import check
from toolbox.assembly.runner import build_runner, work_dir_of
from toolbox.config import Config, naming_the_file
from toolbox.engine.claim import claimed
from toolbox.engine.data import ending_workers
from toolbox.engine.distributed import leave_distributed, rank_told, telling_of_lost_ranks
from toolbox.engine.live import LiveHook
from toolbox.engine.memory import ran_out
from toolbox.engine.reporting import ReportHook
from toolbox.io.errors import ConfigError, RunFailed, UserError
from toolbox.weights.checkpoint import checkpoints

_LESS = (
    "make train_dataloader.batch_size smaller (accumulative_counts makes up for it), or the crop, or the network, "
    "or compute with --amp"
)


def train(
    config: Config,
    *,
    resume: str | None = None,
    amp: bool = False,
    stop_at: int | None = None,
    show: Callable[[str], None] | None = None,
) -> None:
    """Check the config and train it to its end, or to `stop_at`.

    `resume` names a checkpoint to continue from; "auto" is the newest in the work folder, if there is one. "weights"
    begins a new run with that one's weights alone, whatever else has changed. `show` is handed the run as HTML,
    again and again while it trains, in place of lines on the console.

    Raises:
        UserError: what is wrong with the config, its data or the checkpoint, or another run has the work folder.
        RunFailed: the training cannot go on.
    """
    if resume == "weights":
        found = checkpoints(work_dir_of(config))
        if not found:
            raise UserError(f"--resume weights: {work_dir_of(config)} holds no checkpoint to take them from")
        config.data |= {"load_from": str(found[0]), "resume": False}
    elif resume:
        config.data["resume"] = True
        if resume != "auto":
            config.data["load_from"] = resume
    check(config)
    if resume == "auto" and config.data.get("load_from"):  # where a first stage ended is no run to continue
        started = any(work_dir_of(config).glob("iter_*.pth"))
        config.data["load_from" if started else "resume"] = None
    with _telling(config):
        with claimed(work_dir_of(config), rank=rank_told(config.data.get("launcher"))):
            runner = build_runner(config, amp=amp, stop_at=stop_at)
            if show is not None:
                runner.register_hook(LiveHook(show))
            with ending_workers(runner._train_dataloader, runner._val_dataloader):
                runner.train()
        leave_distributed()


def test(config: Config, checkpoint: str | None = None, *, work_dir: str | Path | None = None) -> None:
    """Check the config and measure a checkpoint, by default what its `load_from` names, on its test or validation data.

    The report goes to `work_dir`, or to `test` in the training's folder: beside its report and samples, not over them.

    Raises:
        UserError: what is wrong with the config, its data or the checkpoint.
    """
    data = config.data
    source = checkpoint or data.get("load_from")
    if not source:
        message = "name a CHECKPOINT, or write the files of the networks"
        raise ConfigError(message, file=config.source(""), key="load_from")
    if not data.get("test_dataloader") and not data.get("val_dataloader"):
        raise ConfigError("the config has no data to test on", file=config.source(""), key="test_dataloader")
    data |= {"load_from": source, "resume": False, "work_dir": str(work_dir or work_dir_of(config) / "test")}
    check(config)
    split = "test" if data.get("test_dataloader") else "validation"
    if split == "validation":
        for key in ("dataloader", "evaluator", "cfg"):
            data[f"test_{key}"] = data.get(f"val_{key}")
    with _telling(config):
        runner = build_runner(config, splits=("test",))
        for hook in runner.hooks:
            if isinstance(hook, ReportHook):
                hook.tests(str(source), split, (data.get("train_cfg") or {}).get("max_iters", 0))
        with ending_workers(runner._test_dataloader):
            runner.test()
        leave_distributed()


@contextmanager
def _telling(config: Config) -> Iterator[None]:
    """Mistakes name the config's file; a process of several that is lost, and memory that ran out, are one line."""
    settings = (config.data.get("env_cfg") or {}).get("dist_cfg")
    try:
        with naming_the_file(config), telling_of_lost_ranks(settings):
            yield
    except (RuntimeError, MemoryError) as error:
        if (said := ran_out(error)) is None:
            raise
        kept = "; --resume goes on from the last checkpoint" if checkpoints(work_dir_of(config)) else ""
        raise RunFailed(f"{said}; {_LESS}{kept}") from error

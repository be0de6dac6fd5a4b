"""How long a new config will train on this machine: by a few of its own steps, which leave nothing behind."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import torch

from toolbox.assembly.own_fit import Fit, lasting
from toolbox.assembly.runner import build_runner
from toolbox.config import Config, naming_the_file
from toolbox.engine.data import ending_workers
from toolbox.engine.default_hooks import DEFAULT_HOOKS
from toolbox.engine.few_steps import FewStepsHook
from toolbox.io.errors import RunFailed, UserError
from toolbox.io.look import counted
from toolbox.io.progress import forecast

HOUR = 3600
SOON = 300_000_000
"""Pixels of a folder that are decoded in seconds: its cache is made here, and the training finds it."""


def time_told(config: Config, pixels: int, held: int = 0, *, fits: bool = True) -> str:
    """One line: how long the iterations take here, or why that is not known.

    Args:
        config: a checked one that trains; it is left as it is.
        pixels: of all pictures that it trains on. Of many, which a cache takes long to hold, reading is not counted.
        held: pictures that each validation measures on.
        fits: whether the length may be fitted to a time, which is then said of a long one.
    """
    cached = pixels <= SOON
    try:
        seconds = seconds_of_a_step(config, cached=cached)
    except (UserError, RunFailed, torch.OutOfMemoryError) as error:
        return f"how long it takes is not known, its first steps failed: {' '.join(str(error).split())[:300]}"
    length = config.data["train_cfg"]["max_iters"]
    if seconds is None:
        return "it is too short to be timed"
    validations = -(-length // config.data["train_cfg"].get("val_interval", 1000)) if held else 0
    on_top = [f"{counted(validations, 'validation')} of {counted(held, 'picture')}"] if held else []
    on_top += [] if cached else ["reading the pictures"]
    more = f", and on top of that {' and '.join(on_top)}" if on_top else ""
    shorter = fits and length * seconds > HOUR
    way = "; `new --minutes 30` writes as many iterations as fit" if shorter else ""
    return f"{forecast(length, seconds)}, by its first steps{more}{way}"


def fit_to_time(fitted: Fit, minutes: float, config: Config, pixels: int) -> str:
    """Give a fitted recipe as many iterations as take so many minutes by the steps of `config`, which it is; says so.

    Raises:
        UserError: the first steps fail, or too few fit.
        RunFailed: a step failed.
    """
    seconds = seconds_of_a_step(config, cached=pixels <= SOON)
    assert seconds is not None, "no recipe for own pictures is of one step"
    lasting(fitted, minutes, seconds)
    return f"{forecast(fitted.data['train_cfg']['max_iters'], seconds)}, by its first steps"


def seconds_of_a_step(config: Config, *, cached: bool) -> float | None:
    """The mean of a few steps after the first, as `train` would take them; None of a run of one step.

    Nothing is measured, saved or told meanwhile. With `cached` reading the batches is counted, and a cache that the
    data asks for is made; without, none is made.

    Raises:
        UserError: the data or the model cannot be used.
        RunFailed: a step failed.
    """
    data = dict(config.data)
    train = {**data["train_dataloader"], "dataset": dict(data["train_dataloader"]["dataset"])}
    if not cached and train["dataset"].get("cache"):
        train["dataset"]["cache"] = False
    hook = FewStepsHook()
    with TemporaryDirectory() as folder, _quiet(), naming_the_file(config):
        data |= {"train_dataloader": train, "work_dir": folder, "load_from": None, "resume": False}
        data |= {"custom_hooks": None, "visualizer": None, "default_hooks": dict.fromkeys(DEFAULT_HOOKS)}
        runner = build_runner(Config(data, config.file, config.sources), splits=("train",))
        runner.register_hook(hook)
        with ending_workers(runner._train_dataloader):
            runner.train()
        for handler in list(runner.logger.handlers):  # its file lies in the folder that goes
            if isinstance(handler, logging.FileHandler):
                handler.close()
    return hook.seconds(reading=cached)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what `train` will say itself."""
    logger = logging.getLogger("toolbox")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)

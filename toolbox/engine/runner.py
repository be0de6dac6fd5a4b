"""mmengine's Runner, mended: safe and atomic checkpoints, CPU launch, one wrapper per network, its own hooks only."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mmengine
import torch
from mmengine.device import get_device
from mmengine.hooks import Hook, ParamSchedulerHook
from mmengine.logging import MMLogger
from mmengine.model import MMSeparateDistributedDataParallel
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from torch import nn

from toolbox.algorithm import Algorithm
from toolbox.engine.checkpoint import (
    LAST,
    latest_checkpoint,
    load_portable_state,
    message_hub_state,
    portable_state,
    read_checkpoint,
    write_checkpoint,
)
from toolbox.engine.distributed import average_buffers
from toolbox.engine.optimizers import build_optimizers
from toolbox.engine.random_state import random_state, seed_all
from toolbox.engine.schedules import completed
from toolbox.errors import ConfigError, UserError
from toolbox.plugin_manager import manager


class ToolboxRunner(Runner):
    """Runs one algorithm. Differs from mmengine's Runner in what this class overrides, and in nothing else."""

    def __init__(
        self, *, algorithm: Algorithm, amp: bool = False, model_wrapper_cfg: dict | None = None, **arguments: Any
    ) -> None:
        self.amp, self.algorithm = amp, algorithm
        self.model_wrapper_cfg = model_wrapper_cfg
        super().__init__(model=algorithm, default_scope="mmengine", **arguments)

    # ------------------------------------------------------------------ environment

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Wrap each network by itself (a GAN's networks step in turns), then give every rank a seed of its own."""
        device = get_device()
        if self.distributed:
            options = {"broadcast_buffers": False, "find_unused_parameters": False, **(self.model_wrapper_cfg or {})}
            options.pop("type", None)
            devices = [int(os.environ["LOCAL_RANK"])] if device == "cuda" else None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # torch 2.13 renames broadcast_buffers, mmengine not
                wrapped: nn.Module = MMSeparateDistributedDataParallel(model, device_ids=devices, **options)
        else:
            wrapped = model.to(device)
        seed = int(self.seed or 0) + self.rank
        seed_all(seed)
        self.algorithm.data_preprocessor.seed(seed)  # pyright: ignore[reportCallIssue]
        return wrapped

    def _init_model_weights(self) -> None:
        """Networks initialise in their constructors, from one seed on all ranks."""

    def _log_env(self, env_cfg: dict) -> None:
        """Log what identifies a run; mmengine's survey of compilers takes a second."""
        versions = {"torch": torch.__version__, "mmengine": mmengine.__version__, **manager().versions()}
        self.logger.info("seed %s, %d process(es), %s", self._seed, self._world_size, versions)

    def build_logger(self, log_level: int | str = "INFO", log_file: str | None = None, **kwargs: Any) -> MMLogger:
        """The whole log goes to the file; the terminal belongs to the progress display and shows warnings only."""
        logger = super().build_logger(log_level, log_file, **kwargs)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.setLevel(logging.WARNING)
        return logger

    def dump_config(self) -> None:
        """The caller writes the merged YAML; mmengine would write Python."""

    def register_hooks(self, default_hooks: Any = None, custom_hooks: Any = None) -> None:
        """Only our hooks, already built: mmengine's defaults read every loss back in every iteration."""
        for hook in [ParamSchedulerHook(), *(default_hooks or []), *(custom_hooks or [])]:
            self.register_hook(hook)

    # ------------------------------------------------------------------ optimizers and schedules

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """One optimizer per group of networks."""
        if isinstance(optim_wrapper, OptimWrapperDict):
            return optim_wrapper
        device_type = get_device()
        return build_optimizers(self.algorithm, optim_wrapper, amp=self.amp, device_type=device_type)

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Schedules count iterations and end with the training, unless they say otherwise."""
        # a discriminator that a phase leaves out, or a critic's generator, is stepped after its schedule
        warnings.filterwarnings("ignore", message="Detected call of `scheduler.step")
        if isinstance(scheduler, Mapping):
            assert isinstance(self.optim_wrapper, OptimWrapperDict)  # built just before
            scheduler = completed(scheduler, self.optim_wrapper.keys(), self.max_iters)
        try:
            return super().build_param_scheduler(scheduler)
        except (ValueError, TypeError, AssertionError) as error:
            raise ConfigError(" ".join(str(error).split()), key="param_scheduler") from error

    # ------------------------------------------------------------------ checkpoints

    def save_checkpoint(self, out_dir: str, filename: str, **_: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Write everything a resumed run needs; the file appears whole or not at all. Rank 0 writes."""
        if self.rank != 0:
            return
        schedulers: Any = self.param_schedulers or {}
        checkpoint: dict[str, Any] = {
            "meta": {
                "iter": self.iter + 1,
                "epoch": 0,
                "seed": self.seed,
                "batch_size": self.train_dataloader.batch_size,
                "world_size": self.world_size,
                "algorithm": type(self.algorithm).__name__,
                "plugins": manager().versions(),
                "experiment_name": self.experiment_name,
                "mmengine_version": mmengine.__version__,
            },
            "state_dict": portable_state(self.algorithm),
            "message_hub": self.message_hub.state_dict(),
            "optimizer": self.optim_wrapper.state_dict(),  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
            "param_schedulers": {name: [s.state_dict() for s in each] for name, each in schedulers.items()},
            "random_state": random_state(),
        }
        self.call_hook("before_save_checkpoint", checkpoint=checkpoint)
        path = Path(out_dir) / filename
        write_checkpoint(checkpoint, path)
        pointer = path.with_name(LAST)
        temporary = pointer.with_name(f".{LAST}.part")
        temporary.write_text(f"{path.name}\n")
        os.replace(temporary, pointer)

    def load_checkpoint(self, filename: str, *, partly: bool = False, **_: Any) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Load a checkpoint's weights; one that does not fit is refused with the keys that differ.

        With `partly`, networks that the checkpoint does not hold keep their initial weights.
        """
        checkpoint = read_checkpoint(filename)
        if "state_dict" not in checkpoint:
            raise UserError(f"{filename}: has no 'state_dict'; a checkpoint of this toolbox is wanted here")
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        absent = load_portable_state(self.algorithm, checkpoint["state_dict"], str(filename), partly=partly)
        if absent:
            self.logger.warning("%s holds no %s: initial weights are kept", filename, ", ".join(absent))
        self._has_loaded = True
        self.logger.info("loaded %s", filename)
        return checkpoint

    def load_or_resume(self) -> None:
        """Resume from `load_from` or the newest checkpoint, or load weights alone; never load twice."""
        if self._has_loaded:
            return
        if self._resume:
            path = self._load_from or latest_checkpoint(Path(self.work_dir))
            if path is not None:
                self.resume(str(path))
        elif self._load_from is not None:
            self.load_checkpoint(self._load_from, partly=True)
            self.algorithm.restart()

    def resume(self, filename: str, **_: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Continue a run: weights, optimizers, schedules, counters, logs and random state."""
        checkpoint = self.load_checkpoint(filename)
        meta = checkpoint["meta"]
        loop: Any = self.train_loop
        loop._iter = meta["iter"]
        now = {"batch_size": self.train_dataloader.batch_size, "world_size": self.world_size}
        for name, value in now.items():
            if meta[name] != value:
                self.logger.warning(
                    "%s was %s and is %s: the order of data differs from here on", name, meta[name], value
                )
        self.message_hub.load_state_dict(message_hub_state(checkpoint["message_hub"]))
        self.optim_wrapper.load_state_dict(checkpoint["optimizer"])  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        schedulers: Any = self.param_schedulers or {}
        for name, each in schedulers.items():
            for scheduler, state in zip(each, checkpoint["param_schedulers"][name], strict=True):
                scheduler.load_state_dict(state)
        if self.rank == 0:
            loop.resumed_random_state = checkpoint["random_state"]
        self.logger.info("resumed %s at iteration %d", filename, loop._iter)


class CheckpointHook(Hook):
    """Saves every `interval` iterations and at the end; removes old checkpoints only after the new one is there."""

    priority = "VERY_LOW"

    def __init__(self, *, interval: int = 5000, max_keep_ckpts: int = 3) -> None:
        if interval < 1 or max_keep_ckpts < 1:
            raise ValueError(f"interval and max_keep_ckpts must be at least 1, got {interval} and {max_keep_ckpts}")
        self.interval, self.max_keep_ckpts = interval, max_keep_ckpts

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Save when due."""
        done = batch_idx + 1
        if done % self.interval == 0 or done == runner.max_iters:
            average_buffers(runner.algorithm)
            runner.save_checkpoint(runner.work_dir, f"iter_{done}.pth")
            if runner.rank == 0:
                kept = [p for p in Path(runner.work_dir).glob("iter_*.pth") if p.stem.removeprefix("iter_").isdigit()]
                kept.sort(key=lambda p: int(p.stem.removeprefix("iter_")))
                for path in kept[: -self.max_keep_ckpts]:
                    path.unlink()

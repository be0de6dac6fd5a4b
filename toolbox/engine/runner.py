"""mmengine's Runner, mended: safe and atomic checkpoints, CPU launch, one wrapper per network, its own hooks only."""

from __future__ import annotations

import logging
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

from toolbox.engine.asking import AskingHook
from toolbox.engine.beginning import begin
from toolbox.engine.continuing import refuse_changes
from toolbox.engine.data_changes import described_loaders, tell_changes
from toolbox.engine.determinism import deterministic_training
from toolbox.engine.distributed import average_buffers, local_rank
from toolbox.engine.log_file import tell_once
from toolbox.engine.optimizers import build_optimizers
from toolbox.engine.random_state import seed_all
from toolbox.engine.rank_state import message_hub_state, rank_states
from toolbox.engine.resumable import check_resumable, check_state, check_written
from toolbox.engine.resuming import restore_optimizers
from toolbox.engine.schedule_free import predicting_state
from toolbox.engine.schedules import completed
from toolbox.io.errors import ConfigError, UserError
from toolbox.io.files import replace_text
from toolbox.plugins.manager import failure_of, manager
from toolbox.training.algorithm import Algorithm
from toolbox.weights.checkpoint import LAST, checkpoints, hash_file, read_checkpoint, write_checkpoint
from toolbox.weights.state import load_portable_state


class ToolboxRunner(Runner):
    """Runs one algorithm. Differs from mmengine's Runner in what this class overrides, and in nothing else."""

    def __init__(
        self,
        *,
        algorithm: Algorithm,
        amp: str | None = None,
        model_wrapper_cfg: dict | None = None,
        lasting: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        """`lasting` is what of the config a resumed run must share (`continuing.lasting`)."""
        self.amp, self.algorithm, self.lasting = amp, algorithm, lasting
        self.model_wrapper_cfg = model_wrapper_cfg
        self.schedules: dict[str, Any] = {}
        self.optimizer_settings: Mapping[str, Any] = {}
        self.hooks_at: dict[str, list[Hook]] = {}
        self.hooks_known = 0
        super().__init__(model=algorithm, default_scope="mmengine", **arguments)
        known = self._train_dataloader and self.rank == 0  # which alone writes checkpoints and compares
        loaders = {"train": self._train_dataloader, "val": self._val_dataloader} if known else {}
        self.data_described = described_loaders(loaders)

    # ------------------------------------------------------------------ environment

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Wrap each network by itself (a GAN's networks step in turns), then give every rank a seed of its own."""
        device = get_device()
        if self.distributed:
            options = {"broadcast_buffers": False, "find_unused_parameters": False, **(self.model_wrapper_cfg or {})}
            options.pop("type", None)
            devices = [local_rank()] if device == "cuda" else None
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
            handler.filters = []  # mmengine's passes the first warning of each template alone, whatever it is about
            if isinstance(handler, logging.FileHandler):
                tell_once(handler)
            if type(handler) is logging.StreamHandler:
                handler.setLevel(logging.WARNING)
        return logger

    def build_visualizer(self, visualizer: Any = None) -> Any:
        """A backend whose package is missing, or that cannot begin, is told before anything is computed."""
        built = super().build_visualizer(visualizer)
        for backend in built._vis_backends.values() if self.rank == 0 else ():  # mmengine writes curves there alone
            if error := failure_of(lambda each=backend: each.experiment):  # mmengine opens it at the first scalar
                said = f"{type(backend).__name__}: {' '.join(str(error).split())[:300]}"
                said += "; pip install it" if isinstance(error, ImportError) else ""
                raise ConfigError(said, key="visualizer") from error
        return built

    def dump_config(self) -> None:
        """The caller writes the merged YAML; mmengine would write Python."""

    def register_hooks(self, default_hooks: Any = None, custom_hooks: Any = None) -> None:
        """Only our hooks, already built: mmengine's defaults read every loss back in every iteration."""
        for hook in [ParamSchedulerHook(), AskingHook(), *(default_hooks or []), *(custom_hooks or [])]:
            self.register_hook(hook)

    def call_hook(self, fn_name: str, **arguments: Any) -> None:
        """Call the hooks that do something at this point; mmengine's base class has an empty method for each."""
        if len(self._hooks) != self.hooks_known:  # a hook was registered
            self.hooks_at, self.hooks_known = {}, len(self._hooks)
        if fn_name not in self.hooks_at:
            self.hooks_at[fn_name] = [hook for hook in self._hooks if _acts(hook, fn_name)]
        for hook in self.hooks_at[fn_name]:
            getattr(hook, fn_name)(self, **arguments)

    def train(self) -> nn.Module:
        """Train; hooks that hold the terminal or the signals release them however it ends."""
        try:
            with deterministic_training(self.deterministic):
                return super().train()
        finally:
            self.call_hook("release")

    # ------------------------------------------------------------------ optimizers and schedules

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """One optimizer per group of networks."""
        if isinstance(optim_wrapper, OptimWrapperDict):
            return optim_wrapper
        self.optimizer_settings = optim_wrapper
        return build_optimizers(self.algorithm, optim_wrapper, amp=self.amp, device_type=get_device())

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Schedules count iterations and end with the training, unless they say otherwise."""
        # a discriminator that a phase leaves out, or a critic's generator, is stepped after its schedule
        warnings.filterwarnings("ignore", message="Detected call of `scheduler.step")
        if isinstance(scheduler, Mapping):
            scheduler = self.schedules = completed(scheduler, self.optimizers.keys(), self.max_iters)
        try:
            return super().build_param_scheduler(scheduler)
        except (ValueError, TypeError, AssertionError) as error:
            raise ConfigError(" ".join(str(error).split()), key="param_scheduler") from error

    # ------------------------------------------------------------------ checkpoints

    def save_checkpoint(self, out_dir: str, filename: str, *, done: int, **_: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Write everything a resumed run needs after `done` iterations; the file appears whole or not at all.

        Every rank must call it: each has random numbers and pools of its own. Rank 0 writes.
        """
        average_buffers(self.algorithm)
        ranks = rank_states(self.algorithm)
        if self.rank != 0:
            return
        checkpoint: dict[str, Any] = {
            "meta": {
                "iter": done,
                "epoch": 0,
                "seed": self.seed,
                "batch_size": self.train_dataloader.batch_size,
                "world_size": self.world_size,
                "schedules": self.schedules,
                "optimizers": self.optimizer_settings,
                "algorithm": type(self.algorithm).__name__,
                "lasting": self.lasting,
                "data": self.data_described,
                "plugins": manager().versions(),
                "experiment_name": self.experiment_name,
                "mmengine_version": mmengine.__version__,
            },
            "state_dict": predicting_state(self.algorithm, self.optimizers),
            "message_hub": self.message_hub.state_dict(),
            "optimizer": self.optimizers.state_dict(),
            "param_schedulers": {name: [s.state_dict() for s in each] for name, each in self.running.items()},
            "ranks": ranks,
        }
        self.call_hook("before_save_checkpoint", checkpoint=checkpoint)
        path = Path(out_dir) / filename
        write_checkpoint(checkpoint, path)
        if filename.startswith("iter_"):
            replace_text(path.with_name(LAST), f"{path.name}\n")

    def load_checkpoint(self, filename: str, *, partly: bool = False, **_: Any) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Load a checkpoint's weights; one that does not fit is refused with the keys that differ.

        With `partly`, networks that the checkpoint does not hold keep their initial weights.
        """
        return self.take(read_checkpoint(filename), filename, partly=partly)

    def take(self, checkpoint: dict[str, Any], filename: str, *, partly: bool = False) -> dict[str, Any]:
        """Load a checkpoint that was read, as `load_checkpoint` does; returns it."""
        check_state(checkpoint.get("state_dict"), filename, self.algorithm)
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        absent = load_portable_state(self.algorithm, checkpoint["state_dict"], str(filename), partly=partly)
        needed = [slot for slot in absent if slot in self.algorithm.networks]
        if needed and self._train_loop is None:
            raise UserError(f"{filename}: holds no {', '.join(needed)}: there is nothing to measure")
        new = [slot for slot in absent if slot in (*self.algorithm.networks, *self.algorithm.judged)]
        if new and self._train_loop is not None:
            self.logger.warning("%s holds no %s: initial weights are kept", filename, ", ".join(new))
        self._has_loaded = True
        self.logger.info("loaded %s", filename)
        return checkpoint

    def load_or_resume(self) -> None:
        """Resume from `load_from` or the newest whole checkpoint, or load weights alone; never load twice."""
        if self._has_loaded:
            return
        if self._resume and self._load_from is not None:
            if not isinstance(self._load_from, str):
                raise UserError("load_from: names single networks, and a run can be resumed from one checkpoint alone")
            self.resume(self._load_from)
        elif self._resume:
            found = checkpoints(Path(self.work_dir))
            for path in found:
                try:
                    checkpoint = read_checkpoint(path)
                except UserError as error:
                    if path == found[-1]:
                        raise
                    self.logger.warning("%s; falling back to the checkpoint before it", error)
                    continue
                self._continue(checkpoint, str(path))
                return
            if not found:
                self.logger.warning("%s holds no checkpoint to resume: starting from the beginning", self.work_dir)
        elif self._load_from is not None:
            self.start_from(self._load_from)
            self.algorithm.restart()

    def start_from(self, given: str | Mapping[str, Any]) -> None:
        """Begin with the weights of a checkpoint, or of networks that somebody published in any known format."""
        begin(self, given)
        self._has_loaded = True

    def resume(self, filename: str, **_: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Continue a run: weights, optimizers, schedules, counters, logs and random state."""
        self._continue(read_checkpoint(filename), filename)

    def _continue(self, checkpoint: dict[str, Any], filename: str) -> None:
        check_written(checkpoint, filename, self.algorithm)
        meta, ranks = checkpoint["meta"], checkpoint["ranks"]
        if self.lasting and meta.get("lasting"):
            refuse_changes(filename, meta["lasting"], self.lasting, self.logger)
        check_resumable(checkpoint, filename, self.algorithm, self.optimizers)
        if not (beside := hash_file(Path(filename))).is_file():
            self.logger.warning("%s is not verified: no %s lies beside it", filename, beside.name)
        if self.rank < len(ranks):
            checkpoint["state_dict"].update(ranks[self.rank]["own"])
        self.take(checkpoint, filename)
        tell_changes(meta.get("data") or {}, self.data_described, self.logger)
        loop: Any = self.train_loop
        loop._iter = meta["iter"]
        text = "%s was %s and is %s: the order of data differs from here on"
        for name, value in (("batch_size", self.train_dataloader.batch_size), ("world_size", self.world_size)):
            if meta[name] != value:
                self.logger.warning(text, name, meta[name], value)
        self.message_hub.load_state_dict(message_hub_state(checkpoint["message_hub"]))
        settings = {"optim_wrapper": self.optimizer_settings, "param_scheduler": self.schedules}
        restore_optimizers(self.optimizers, self.running, checkpoint, settings, self.logger)
        if self.rank < len(ranks):
            loop.resumed_random_state = ranks[self.rank]["random"]
        self.logger.info("resumed %s at iteration %d", filename, loop._iter)

    @property
    def optimizers(self) -> OptimWrapperDict:
        """The built optimizers."""
        assert isinstance(self.optim_wrapper, OptimWrapperDict)  # `train` builds them first
        return self.optim_wrapper

    @property
    def accumulation(self) -> int:
        """Micro-batches of one step, the same for all groups (the config's check sees to it)."""
        return max(self.optimizers[name]._accumulative_counts for name in self.optimizers.keys())  # noqa: SIM118

    @property
    def running(self) -> dict[str, list[Any]]:
        """The built schedules of each group."""
        return self.param_schedulers if isinstance(self.param_schedulers, dict) else {}


def _acts(hook: Hook, point: str) -> bool:
    """Whether a hook has a method of its own for a point of mmengine's, or any method for another."""
    return point in hook.get_triggered_stages() if point in Hook.stages else hasattr(hook, point)

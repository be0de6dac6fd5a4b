"""Config to Runner: the data, the algorithm, the hooks and the settings of one run, put together."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import Any

import torch
import yaml

from toolbox.assembly.build import build_component, seed_of, seeded_algorithm
from toolbox.assembly.compatibility import check_combination
from toolbox.assembly.first_sample import check_first_sample
from toolbox.assembly.loading import trained_network
from toolbox.assembly.machine import emulation_told, precision_of, this_machine
from toolbox.assembly.sample_sizes import Looked, check_pixels, check_samples, check_scales, look_at
from toolbox.assembly.shared_features import shared_features
from toolbox.config import Config
from toolbox.contracts.dataset import ImageDataset
from toolbox.engine.chosen_metric import refuse_unmeasured
from toolbox.engine.continuing import lasting
from toolbox.engine.data import evaluation_loader, train_loader
from toolbox.engine.default_hooks import DEFAULT_HOOKS
from toolbox.engine.degrading import Degrading
from toolbox.engine.determinism import check_deterministic, prepare_determinism
from toolbox.engine.distributed import start_distributed
from toolbox.engine.gathering import GatheringEvaluator
from toolbox.engine.guard import check_work_dir
from toolbox.engine.loops import TrainLoop
from toolbox.engine.memory import TRAINING, bound_kernels, keep_freed_memory
from toolbox.engine.precision import set_tf32
from toolbox.engine.runner import ToolboxRunner
from toolbox.engine.samples import SamplesHook
from toolbox.engine.schedules import warmed
from toolbox.io.errors import ConfigError
from toolbox.io.files import replace_text
from toolbox.training.algorithm import Algorithm

logger = logging.getLogger("toolbox")
_numbers = itertools.count()


@shared_features()
def build_runner(
    config: Config, *, splits: tuple[str, ...] = ("train", "val"), amp: bool = False, stop_at: int | None = None
) -> ToolboxRunner:
    """Put a run together: `splits` is ("train", "val") to train and ("test",) to test.

    `amp` computes in bfloat16, unless `env_cfg.amp` says otherwise. `stop_at` is the iteration after which a
    training stops, to be resumed.
    """
    data = config.data
    keep_freed_memory()
    deterministic = bool((data.get("randomness") or {}).get("deterministic"))
    if deterministic:
        prepare_determinism()
    bound_kernels(TRAINING)
    env_cfg = data.get("env_cfg") or {}
    set_tf32(env_cfg.get("tf32"))
    launcher = data.get("launcher") or "none"
    rank, world_size = start_distributed(launcher, env_cfg.get("dist_cfg"))
    asked, machine = env_cfg.get("amp") or ("bfloat16" if amp else None), this_machine()
    sections, algorithm = checked_parts(config, splits, rank, world_size)
    if "train" in splits:
        sections["train_cfg"]["stop_at"] = stop_at
        if rank == 0 and (note := emulation_told(asked, machine)):
            logger.warning("%s", note)
        if deterministic and torch.cuda.is_available():
            check_deterministic(algorithm)
    work_dir = work_dir_of(config)
    check_work_dir(work_dir, algorithm)
    runner = ToolboxRunner(
        algorithm=algorithm,
        amp=precision_of(asked, machine),
        work_dir=str(work_dir),
        **sections,
        lasting=lasting(data),
        default_hooks=_default_hooks(data),
        custom_hooks=_components("hooks", data.get("custom_hooks"), "custom_hooks"),
        load_from=data.get("load_from"),
        resume=bool(data.get("resume")),
        launcher=launcher,
        env_cfg=env_cfg,
        log_level=data.get("log_level") or "INFO",
        model_wrapper_cfg=data.get("model_wrapper_cfg"),
        visualizer=data.get("visualizer"),
        randomness={**(data.get("randomness") or {}), "seed": seed_of(config)},
        experiment_name=f"{data.get('experiment_name') or config.file.stem}_{next(_numbers)}",
    )
    if rank == 0:
        replace_text(work_dir / "config.yaml", yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    return runner


def checked_parts(
    config: Config, splits: tuple[str, ...], rank: int = 0, world_size: int = 1
) -> tuple[dict[str, Any], Algorithm]:
    """The sections of a run with their data, and the algorithm; whatever of the data can be told beforehand is.

    Nothing is written, and no network runs: `doctor` looks with this, too.

    Raises:
        ConfigError: a key is missing, a component refuses its arguments, or samples do not suit the run.
    """
    data = config.data
    if "train" in splits:
        for key in ("train_dataloader", "train_cfg", "optim_wrapper"):
            if not data.get(key):
                raise ConfigError("training needs it", key=key)
    sections: dict[str, Any] = {}
    looked: dict[str, tuple[ImageDataset, Looked]] = {}
    for split in ("train", "val", "test"):
        section = data.get(f"{split}_dataloader")
        if split in splits and section:
            dataset = build_component("datasets", section["dataset"], f"{split}_dataloader.dataset")
            looked[split] = dataset, look_at(dataset)
            check_samples(split, section, looked[split][1])
    algorithm = seeded_algorithm(config)
    degrading = None
    if algorithm.parts.degradation is not None and not algorithm.parts.degradation.on_device:
        degrading = Degrading(algorithm.parts.degradation, algorithm.derived)
    for split, (dataset, _) in looked.items():
        section = data[f"{split}_dataloader"]
        if split == "train":
            loader = train_loader(section, dataset, seed_of(config), rank, world_size, degrading)
            sections |= {"train_dataloader": loader, "train_cfg": {"type": TrainLoop, **data["train_cfg"]}}
            schedules = warmed(data["optim_wrapper"], data.get("param_scheduler"))
            sections |= {"optim_wrapper": data["optim_wrapper"], "param_scheduler": schedules}
        else:
            sections[f"{split}_dataloader"] = evaluation_loader(section, dataset, rank, world_size, degrading)
            sections[f"{split}_cfg"] = data.get(f"{split}_cfg") or {}
            sections[f"{split}_evaluator"] = _evaluator(data, split)  # after the losses, whose features are seeded
    if "train" in splits:
        check_combination(data, algorithm, quiet=rank > 0)
    samples = (data.get("default_hooks") or {}).get("samples") or {}
    columns = [name for name in samples.get("columns") or () if name not in (samples.get("rivals") or {})]
    for split, (dataset, found) in looked.items():
        check_scales(split, dataset, found, algorithm)
        if split != "train":
            check_pixels(split, dataset)
            loader, metrics = sections[f"{split}_dataloader"], sections[f"{split}_evaluator"].metrics
            check_first_sample(split, loader, algorithm, metrics, columns, smallest=found.smallest())
    if "train" in splits and "val" in looked:
        hooks = data.get("default_hooks") or {}
        for hook, setting in (("checkpoint", "save_best"), ("early_stop", "metric")):
            name = (hooks.get(hook) or {}).get(setting)
            if isinstance(name, str):
                metrics = sections["val_evaluator"].metrics
                refuse_unmeasured(metrics, name, f"default_hooks.{hook}.{setting}")
    return sections, algorithm


def work_dir_of(config: Config) -> Path:
    """Where a run writes: `work_dir`, or work_dirs/<name of the config>."""
    return Path(config.data.get("work_dir") or Path("work_dirs") / config.file.stem)


def _components(kind: str, configs: Any, key: str) -> list[Any]:
    configs = configs or []
    configs = configs if isinstance(configs, list) else [configs]
    return [build_component(kind, each, f"{key}.{i}") for i, each in enumerate(configs)]


def _evaluator(data: dict[str, Any], split: str) -> GatheringEvaluator:
    metrics = _components("metrics", data.get(f"{split}_evaluator"), f"{split}_evaluator")
    names = [getattr(metric, "name", None) for metric in metrics]
    for i, name in enumerate(names):
        if name is not None and name in names[:i]:  # mmengine would say so after the first evaluation
            message = f"there is another '{name}', and a report has one column of a name; keep one of them"
            raise ConfigError(message, key=f"{split}_evaluator.{i}")
    return GatheringEvaluator(metrics)


def _default_hooks(data: dict[str, Any]) -> list[Any]:
    settings = {name: {} for name in DEFAULT_HOOKS} | (data.get("default_hooks") or {})
    window = (data.get("log_processor") or {}).get("window_size")
    if window is not None and settings["logger"] is not None:  # mmengine's name for the same number
        settings["logger"] = {"interval": window, **settings["logger"]}
    hooks = []
    for name, arguments in settings.items():
        try:
            hooks += [] if arguments is None else [DEFAULT_HOOKS[name](**arguments)]
        except (ValueError, TypeError) as error:
            raise ConfigError(str(error), key=f"default_hooks.{name}") from error
    for hook in hooks:
        if isinstance(hook, SamplesHook):
            hook.load = trained_network
    return hooks

"""Reads what a config says of the run: optimizers, schedules, hooks and the visualizer, against their constructors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolbox.config import check_arguments
from toolbox.config.values import show
from toolbox.engine.packaged_optimizers import PACKAGED, UNFIT, optimizer_class, optimizer_names
from toolbox.engine.settings_tried import try_settings
from toolbox.io.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from toolbox.config.check import Check

COUNTS = {"step_size": 1, "T_max": 1, "periods": 1, "total_steps": 1, "begin": 0, "milestones": 0}
"""Settings of schedules that count iterations, and the least of each: mmengine divides by them when it is too late."""
FACTORS = ("gamma", "power", "eta_min", "eta_max", "eta_min_ratio", "max_lr")
"""Settings of schedules of which a negative one makes negative rates."""
CLIPPING = {"norm": ("max_norm", "norm_type", "error_if_nonfinite"), "value": ("clip_value",)}
"""Ways of clipping gradients; of each the setting it needs, then the others."""


def check_run_settings(check: Check) -> None:
    """Raise `ConfigError` for the first thing that cannot work; `check` holds the config and says where it stands."""
    default_hooks(check)
    groups(check, "optim_wrapper", complete=True)
    groups(check, "param_scheduler")
    optimizers(check)
    accumulation(check)
    schedulers(check)
    visualizer(check)
    choice(check)
    try_settings(check)


def groups(check: Check, section: str, *, complete: bool = False) -> None:
    """The networks' groups: those the model has, and with `complete` all of them."""
    algorithm, given = check.find("algorithms", check.data["model"]["type"], "model.type"), check.data.get(section)
    has = {"generator": True, "discriminator": any(slot in check.data["model"] for slot in algorithm.adversaries)}
    for group, there in has.items():
        if given and not there and group in given:
            raise check.error(f"the model has no {group}; leave it out", f"{section}.{group}")
        if given and there and complete and group not in given:
            raise check.error(f"the model has a {group}, and no optimizer for it", f"{section}.{group}")


def optimizers(check: Check) -> None:
    """Check each optimizer against torch's, and against the package's where a config names one of those."""
    known = optimizer_names()
    for group, wrapper in (check.data.get("optim_wrapper") or {}).items():
        key = f"optim_wrapper.{group}.optimizer"
        optimizer = wrapper.get("optimizer") if isinstance(wrapper, Mapping) else None
        if not isinstance(optimizer, Mapping) or "type" not in optimizer:
            raise check.error("wants an optimizer, such as {type: Adam, lr: 1e-4}", key)
        if optimizer["type"] in UNFIT:
            raise check.error(f"{optimizer['type']} {UNFIT[optimizer['type']]}; take Adam or AdamW", f"{key}.type")
        check.one_of(optimizer["type"], known, f"{key}.type", "optimizer of torch.optim")
        arguments = {name: value for name, value in optimizer.items() if name != "type"}
        try:
            found: Any = optimizer_class(optimizer["type"])
        except UserError as error:
            raise check.error(str(error), f"{key}.type") from None
        if optimizer["type"] in PACKAGED:  # they take anything by **kwargs
            named = {name for name, each in signature(found).parameters.items() if each.kind != each.VAR_KEYWORD}
            for name in (name for name in arguments if name not in named):
                hint = did_you_mean(name, named - {"params"})
                raise check.error(f"{optimizer['type']} has no such argument{hint}", f"{key}.{name}")
        if optimizer["type"].startswith("ScheduleFree") and group == "generator" and check.data["model"].get("ema"):
            raise check.error(f"{optimizer['type']} averages the weights itself; write ema: null", "model.ema")
        check_arguments(found, arguments, key, check.config.blamed, skip=("params",))
        clipping(check, wrapper.get("clip_grad"), f"optim_wrapper.{group}.clip_grad")


def clipping(check: Check, settings: Mapping[str, Any] | None, key: str) -> None:
    """The two ways of clipping gradients have settings of their own."""
    if settings is None:
        return
    kind = settings.get("type", "norm")
    needed, *others = CLIPPING[kind]
    for name in settings:
        if name not in ("type", needed, *others):
            raise check.error(f"type: {kind} has no such setting{did_you_mean(name, CLIPPING[kind])}", f"{key}.{name}")
    if needed not in settings:
        raise check.error(f"type: {kind} needs {needed}, such as {needed}: 1.0; null clips nothing", key)
    if not settings[needed] > 0:  # 0 would train nothing, and less would climb where it should descend
        raise check.error(f"must be above 0, got {settings[needed]}; clip_grad: null clips nothing", f"{key}.{needed}")


def accumulation(check: Check) -> None:
    """Gradients accumulate alike in both groups, and never across a checkpoint: they are not saved."""
    wrappers = check.data.get("optim_wrapper") or {}
    counts = {group: wrapper.get("accumulative_counts", 1) for group, wrapper in wrappers.items()}
    if len(set(counts.values())) > 1:
        key = f"optim_wrapper.{list(counts)[-1]}.accumulative_counts"
        raise check.error(f"must be the same for all groups, got {counts}", key)
    count = max(counts.values(), default=1)
    checkpoint = (check.data.get("default_hooks") or {}).get("checkpoint") or {}
    lengths = {
        "train_cfg.max_iters": (check.data.get("train_cfg") or {}).get("max_iters"),
        "default_hooks.checkpoint.interval": checkpoint.get("interval"),
    }
    for i, phase in enumerate(check.data["model"].get("phases") or ()):
        lengths[f"model.phases.{i}.until"] = phase.get("until")
    for key, length in lengths.items():
        if length is not None and length % count:
            raise check.error(f"must be a multiple of accumulative_counts ({count}), got {length}", key)


def schedulers(check: Check) -> None:
    """Check each schedule against mmengine's."""
    from toolbox.engine.schedules import SCHEDULES, signature_of

    for group, each in (check.data.get("param_scheduler") or {}).items():
        for i, schedule in enumerate(each):
            key = f"param_scheduler.{group}.{i}"
            check.one_of(schedule["type"], SCHEDULES, f"{key}.type", "schedule of mmengine")
            arguments = {name: value for name, value in schedule.items() if name != "type"}
            wanted = signature_of(SCHEDULES[schedule["type"]])
            check_arguments(wanted, arguments, key, check.config.blamed, skip=("optimizer", "param_name"))
            if schedule.get("by_epoch"):
                raise check.error("schedules count iterations; leave it out", f"{key}.by_epoch")
            if schedule.get("start_factor") == 0:
                raise check.error("must be above 0: factors multiply; begin at 1e-3", f"{key}.start_factor")
            for name in FACTORS:
                if isinstance(factor := schedule.get(name), (int, float)) and factor < 0:
                    raise check.error(f"must be 0 or more, got {factor}: rates are never negative", f"{key}.{name}")
            for name, least in COUNTS.items():
                given = schedule.get(name)
                for n, count in enumerate(given if isinstance(given, list) else [given]):
                    if count is not None and count < least:
                        item = f".{n}" if isinstance(given, list) else ""
                        raise check.error(
                            f"counts iterations: must be {least} or more, got {count}", f"{key}.{name}{item}"
                        )


def visualizer(check: Check) -> None:
    """Check the visualizer and its backends against mmengine's."""
    from mmengine.registry import VISBACKENDS, VISUALIZERS

    section = check.data.get("visualizer") or {}
    if section:
        import toolbox.engine.trackio_backend  # noqa: F401  (registers it, and mmengine's)
    parts = [("visualizer", section, VISUALIZERS.module_dict)] if section else []
    backends = section.get("vis_backends") or []
    if not isinstance(backends, list):
        raise check.error(f"wants a list, each {{type: Name, …}}, got {show(backends)}", "visualizer.vis_backends")
    for i, backend in enumerate(backends):
        parts.append((f"visualizer.vis_backends.{i}", backend, VISBACKENDS.module_dict))
    for key, part, known in parts:
        if not isinstance(part, Mapping) or "type" not in part:
            raise check.error(f"wants {{type: Name, …}}, got {show(part)}", key)
        check.one_of(part["type"], known, f"{key}.type", "visualizer or backend of mmengine")
        arguments = {name: value for name, value in part.items() if name != "type"}
        check_arguments(known[part["type"]], arguments, key, check.config.blamed, skip=("save_dir", "name"))


def default_hooks(check: Check) -> None:
    """Check the settings of the built-in hooks."""
    from toolbox.engine.default_hooks import DEFAULT_HOOKS

    for name, settings in (check.data.get("default_hooks") or {}).items():
        check.one_of(name, DEFAULT_HOOKS, f"default_hooks.{name}", "built-in hook")
        check_arguments(DEFAULT_HOOKS[name], settings or {}, f"default_hooks.{name}", check.config.blamed)


def choice(check: Check) -> None:
    """What is best, and when to stop, is chosen on the validation set: the test set must be another."""
    hooks = check.data.get("default_hooks") or {}
    by = [("save_best", (hooks.get("checkpoint") or {}).get("save_best"))]
    by += [("early_stop", (hooks.get("early_stop") or {}).get("metric"))]
    by = [name for name, metric in by if metric]
    if "early_stop" in by and not (check.data.get("val_dataloader") and check.data.get("val_evaluator")):
        raise check.error("wants pictures to measure on: val_dataloader and val_evaluator", "default_hooks.early_stop")
    val, test = ((check.data.get(f"{split}_dataloader") or {}).get("dataset") for split in ("val", "test"))
    if not by or not val or not test:
        return
    chosen, tested = set(paths(val)), set(paths(test))
    if val == test or (tested and all(not chosen.isdisjoint((path, *path.parents)) for path in tested)):
        what = "save_best chooses a checkpoint" if by[0] == "save_best" else "early_stop ends the run"
        message = f"reads the images by which {what}; test on others, or leave {by[0]} out"
        raise check.error(message, "test_dataloader.dataset")


def paths(dataset: Any) -> Iterator[Path]:
    """Files and folders that a dataset's arguments name, but for those of its transforms."""
    if isinstance(dataset, Mapping):
        dataset = [value for name, value in dataset.items() if not str(name).startswith("transforms")]
    if isinstance(dataset, list):
        for value in dataset:
            yield from paths(value)
    elif isinstance(dataset, str) and Path(dataset).expanduser().exists():
        yield Path(dataset).expanduser().resolve()

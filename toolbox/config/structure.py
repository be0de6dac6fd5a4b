"""Checks what can be known of a config without loading plugins or torch: its keys, and the simple types of values.

`SECTIONS` is the whole rule book. A rule is

- a mapping: these keys and no others (`REQUIRED` lists those that must be there),
- `[rule]`: a list whose items follow the rule,
- a tuple: any one of these rules,
- `COMPONENT`: `{type: Name, …}`, whose arguments are checked later against the constructor,
- `AtLeast(n)`: an int from n on, `AtLeast(n, most)` up to `most`,
- anything else: a type annotation (`str | None`, `Literal["a", "b"]`, `list[str]`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from toolbox.config.load import Config
from toolbox.config.numbers import not_a_number
from toolbox.config.values import describe, misfit, show
from toolbox.config.yaml_loader import MAX_KEY
from toolbox.io.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class AtLeast:
    """An int that may not be smaller; nor larger, where a larger one would only fill memory, or never be reached."""

    minimum: int
    maximum: int = 10**15


COMPONENT = object()
"""A mapping with a `type`."""

_DATALOADER = {
    "batch_size": AtLeast(1, 1_000_000),
    "num_workers": AtLeast(0, 1024),
    "dataset": COMPONENT,
    "persistent_workers": bool,
    "pin_memory": bool,
    "prefetch_factor": (AtLeast(1, 1024), None),
}
_OPTIMIZER = {
    "optimizer": COMPONENT,
    "clip_grad": (
        {
            "type": Literal["norm", "value"],
            "max_norm": float,
            "norm_type": float,
            "clip_value": float,
            "error_if_nonfinite": bool,
        },
        None,
    ),
    "accumulative_counts": AtLeast(1),
    "warmup": AtLeast(0),
}
SECTIONS: dict[str, Any] = {
    "model": COMPONENT,
    "plugins": list[str],
    "train_dataloader": {**_DATALOADER, "skip_damaged": bool},  # an evaluation measures every image or none
    "val_dataloader": (_DATALOADER, None),
    "test_dataloader": (_DATALOADER, None),
    "train_cfg": {"max_iters": AtLeast(1), "val_interval": AtLeast(1), "val_begin": AtLeast(0)},
    "val_cfg": ({}, None),
    "test_cfg": ({}, None),
    "val_evaluator": (COMPONENT, [COMPONENT], None),
    "test_evaluator": (COMPONENT, [COMPONENT], None),
    "optim_wrapper": {"generator": _OPTIMIZER, "discriminator": _OPTIMIZER},
    "param_scheduler": ({"generator": [COMPONENT], "discriminator": [COMPONENT]}, None),
    "default_hooks": {  # their settings are checked against the hooks' constructors; null does without one
        "logger": dict[str, Any] | None,
        "checkpoint": dict[str, Any] | None,
        "early_stop": dict[str, Any] | None,
        "samples": dict[str, Any] | None,
        "report": dict[str, Any] | None,
        "guard": dict[str, Any] | None,
    },
    "custom_hooks": ([COMPONENT], None),
    "visualizer": (COMPONENT, None),
    "log_processor": ({"window_size": AtLeast(1)}, None),  # over how many iterations losses are averaged
    "log_level": Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    "model_wrapper_cfg": ({"find_unused_parameters": bool, "broadcast_buffers": bool}, None),
    "env_cfg": {
        "cudnn_benchmark": bool,
        "mp_cfg": {"mp_start_method": Literal["fork", "spawn", "forkserver"], "opencv_num_threads": AtLeast(0)},
        "dist_cfg": {"backend": Literal["nccl", "gloo", "mpi"], "timeout": AtLeast(1)},
        "resource_limit": AtLeast(1),
        "amp": Literal["auto", "bfloat16", "float16"] | None,
        "tf32": bool | None,
    },
    "randomness": {"seed": (AtLeast(0, 2**62), None), "deterministic": bool},
    "experiment_name": str | None,
    "load_from": str | dict[str, str | dict[str, Any]] | None,
    "resume": bool,
    "work_dir": str | None,
    "launcher": Literal["none", "pytorch", "slurm", "mpi"],
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "": ("model",),
    "train_dataloader": ("dataset",),
    "val_dataloader": ("dataset",),
    "test_dataloader": ("dataset",),
    "train_cfg": ("max_iters",),
    "optim_wrapper.generator": ("optimizer",),
    "optim_wrapper.discriminator": ("optimizer",),
}
"""Keys that a section must hold, where it is written at all; `""` is the top."""

_DROP_LAST = "training draws from a stream without end, and an evaluation measures every image once; leave it out"
REFUSED = {
    "axes": "this is a grid of several configs; run it with gan-toolbox benchmark",
    "custom_imports": "a config imports no code; install a plugin, or name a module with -p on the command line",
    "default_scope": "names are looked up among the toolbox's plugins; write plugin/Name where two plugins share one",
    "auto_scale_lr": "the learning rate that is written is the one used; set it in optim_wrapper",
    "train_dataloader.drop_last": _DROP_LAST,
    "val_dataloader.drop_last": _DROP_LAST,
    "test_dataloader.drop_last": _DROP_LAST,
    "model_wrapper_cfg.type": "each network has a wrapper of its own, of one type; leave it out",
    "randomness.diff_rank_seed": "every process has a seed of its own already: seed + rank; leave it out",
}
"""Keys that mmengine knows and that would do nothing here, or harm; each with what to do instead."""
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_TYPE = re.compile(r"(?:[\w-]+/)?[A-Za-z_]\w*", re.ASCII)
_PLUGIN = re.compile(r"(?:no:)?[\w-]+|[\w-]+\s*[<>=!~][\w\s.,<>=!~*+]+", re.ASCII)  # labkit, no:labkit, labkit>=1.0,<2


def check_structure(config: Config) -> None:
    """Refuse the first thing that no plugin could make right: unknown keys, wrong simple types, types with a dot.

    Raises:
        ConfigError: naming the file that wrote it, its dotted path and the way out.
    """
    for key, reason in REFUSED.items():
        section, _, name = key.rpartition(".")
        place = config.data.get(section) if section else config.data
        if isinstance(place, dict) and name in place:
            raise _refusal(config, key, f"is refused: {reason}")
    _check(config, config.data, SECTIONS, "")
    if found := not_a_number(config.data):
        raise _refusal(config, *found)
    for index, name in enumerate(config.data.get("plugins", [])):
        if not _PLUGIN.fullmatch(name) or len(name) > MAX_KEY:
            message = f"{show(name)} is no plugin's name; a file or module is named with -p on the command line"
            raise _refusal(config, f"plugins.{index}", message)
    _check_types(config, config.data, "")


def _check(config: Config, value: Any, rule: Any, path: str) -> None:
    """Check one value against one rule, and what lies below it."""
    if isinstance(rule, tuple):
        rule = _alternative(config, value, rule, path)
    if rule is None and value is None:
        return
    if isinstance(rule, dict):
        if not isinstance(value, dict):
            raise _refusal(config, path, f"wants {_wants(rule)}, got {show(value)}")
        for key, item in value.items():
            here = f"{path}.{key}" if path else key
            if key not in rule:
                raise _refusal(config, here, f"there is no such key{_hint(key, rule)}")
            _check(config, item, rule[key], here)
        for key in REQUIRED.get(path, ()):
            if key not in value:
                raise _refusal(config, path, f"'{key}' is missing")
    elif isinstance(rule, list):
        if not isinstance(value, list):
            raise _refusal(config, path, f"wants {_wants(rule)}, got {show(value)}")
        for index, item in enumerate(value):
            _check(config, item, rule[0], f"{path}.{index}")
    elif rule is COMPONENT:
        if not isinstance(value, dict):
            raise _refusal(config, path, f"wants {_wants(rule)}, got {show(value)}")
        if "type" not in value:
            raise _refusal(config, path, f"has no type; write {path.rpartition('.')[2]}: {{type: Name, …}}")
    elif isinstance(rule, AtLeast):
        wrong = misfit(value, int)
        if wrong:
            raise _refusal(config, path, str(wrong))
        if value < rule.minimum:
            raise _refusal(config, path, f"must be at least {rule.minimum}, got {value}")
        if value > rule.maximum:
            raise _refusal(config, path, f"must be {rule.maximum:,} at most, got {show(value)}")
    else:
        wrong = misfit(value, rule)
        if wrong:
            raise _refusal(config, path + wrong.path, str(wrong))


def _alternative(config: Config, value: Any, rules: Iterable[Any], path: str) -> Any:
    """The one rule of several that is meant, by the value's shape."""
    rules = tuple(rules)
    if value is None and None in rules:
        return None
    for rule in rules:
        mapping = isinstance(rule, dict) or rule is COMPONENT
        single = rule is not None and not mapping and not isinstance(rule, list)
        if (
            (isinstance(value, dict) and mapping)
            or (isinstance(value, list) and isinstance(rule, list))
            or (single and not isinstance(value, (dict, list)))
        ):
            return rule
    raise _refusal(config, path, f"wants {' or '.join(_wants(rule) for rule in rules)}, got {show(value)}")


def _check_types(config: Config, value: Any, path: str) -> None:
    """Refuse every `type`, anywhere, that is not the bare name of a component."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check_types(config, item, f"{path}.{index}")
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        here = f"{path}.{key}" if path else key
        if key == "type":
            _check_type(config, item, here)
        _check_types(config, item, here)


def _check_type(config: Config, name: Any, path: str) -> None:
    if not isinstance(name, str):
        raise _refusal(config, path, f"wants a component's name, got {show(name)}")
    if _TYPE.fullmatch(name) and len(name) <= MAX_KEY:
        return
    if "." in name:
        last = name.rpartition(".")[2]
        hint = f"; write '{last}'" if _NAME.fullmatch(last) else ""
        message = f"{show(name)}: a type names a registered component, not an import path; nothing is imported{hint}"
    else:
        message = f"{show(name)} is no name; write Name, or plugin/Name"
    raise _refusal(config, path, message)


def _wants(rule: Any) -> str:
    if rule is COMPONENT:
        return "{type: Name, …}"
    if isinstance(rule, dict):
        return f"a mapping of {', '.join(rule)}" if rule else "an empty mapping {}"
    if isinstance(rule, list):
        return f"a list, each {_wants(rule[0])}"
    return f"an int from {rule.minimum} on" if isinstance(rule, AtLeast) else describe(rule)


def _hint(key: str, known: Iterable[str]) -> str:
    return did_you_mean(key, known) or "; this section holds nothing"


def _refusal(config: Config, key: str, message: str) -> ConfigError:
    return ConfigError(message, file=config.blamed(key), key=key)

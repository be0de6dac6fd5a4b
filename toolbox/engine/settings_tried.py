"""Tries the run's settings on one number in place of the networks: what only a constructor refuses, before the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from toolbox.engine.packaged_optimizers import optimizer_class

if TYPE_CHECKING:
    from toolbox.config.check import Check


def try_settings(check: Check) -> None:
    """Raise `ConfigError` for the first value that an optimizer, a schedule or a built-in hook refuses.

    Their names, arguments and types were found to be right before; which values suit is theirs to say (`Invalid
    learning rate: -1`).
    """
    for group, optimizer in tried_optimizers(check).items():
        _try_schedules(check, group, optimizer)
    _try_hooks(check)


def tried_optimizers(check: Check) -> dict[str, torch.optim.Optimizer]:
    """Each group's optimizer of one number."""
    tried = {}
    for group, wrapper in (check.data.get("optim_wrapper") or {}).items():
        settings = dict(wrapper["optimizer"])
        found: Any = optimizer_class(settings.pop("type"))
        with _refusing(check, f"optim_wrapper.{group}.optimizer", found.__name__):
            listed = {name: tuple(value) if name == "betas" else value for name, value in settings.items()}
            tried[group] = found([nn.Parameter(torch.zeros(1))], **listed)
    return tried


def _try_schedules(check: Check, group: str, optimizer: torch.optim.Optimizer) -> None:
    from toolbox.engine.schedules import SCHEDULES, completed

    written = (check.data.get("param_scheduler") or {}).get(group) or []
    length = (check.data.get("train_cfg") or {}).get("max_iters", 1)
    for i, schedule in enumerate(completed({group: written}, [group], length)[group]):
        settings = dict(schedule)
        found: Any = SCHEDULES[settings.pop("type")]
        with _refusing(check, f"param_scheduler.{group}.{i}", found.__name__):
            found(optimizer, **settings)


def _try_hooks(check: Check) -> None:
    from toolbox.engine.default_hooks import DEFAULT_HOOKS

    for name, settings in (check.data.get("default_hooks") or {}).items():
        if isinstance(settings, Mapping):
            with _refusing(check, f"default_hooks.{name}"):
                DEFAULT_HOOKS[name](**settings)


@contextmanager
def _refusing(check: Check, key: str, name: str = "") -> Iterator[None]:
    """What a constructor says becomes the config's mistake, at the key that holds its arguments."""
    try:
        yield
    except (ValueError, TypeError, AssertionError, ArithmeticError, KeyError) as error:
        said = " ".join(str(error).split()) or "refuses these values"
        raise check.error(f"{name}: {said}" if name else said, key) from error

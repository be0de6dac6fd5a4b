"""The one metric by which a run keeps its best checkpoint, or stops: its value, and which direction is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from toolbox.io.errors import ConfigError, did_you_mean


def best_file(metric: str) -> str:
    """Name of the best checkpoint's file; a metric's slash would be a folder that nobody made."""
    return f"best_{metric.replace('/', '_')}.pth"


def chosen(runner: Any, metrics: Mapping[str, float] | None, name: str, key: str) -> tuple[float, bool]:
    """What a validation measured by that name, and whether higher is better; `key` is where a config names it.

    Raises:
        UserError: nothing of that name was measured.
    """
    if name not in (metrics or {}):
        hint = did_you_mean(name, [each for each in metrics or {} if "/" not in each])
        raise ConfigError(f"validation measures no '{name}'{hint}", key=key)
    measured = [each for each in runner.val_evaluator.metrics if getattr(each, "name", "") == name]
    return float((metrics or {})[name]), all(getattr(each, "higher_is_better", True) for each in measured)


def refuse_unmeasured(metrics: Sequence[Any], name: str, key: str) -> None:
    """Raise ConfigError before a run begins where no metric can measure what the config names at `key`.

    A metric's values are called as it is, or begin so: `psnr/do_nothing`. One without a name may measure anything.
    """
    known = [getattr(each, "name", None) for each in metrics]
    if known and all(isinstance(each, str) and each for each in known):
        names = [str(each) for each in known]
        if not any(name == each or name.startswith(f"{each}/") for each in names):
            raise ConfigError(f"validation measures no '{name}'{did_you_mean(name, names)}", key=key)


def better(one: float, other: float, rising: bool, by: float = 0.0) -> bool:
    """Whether `one` is better than `other` by more than `by`; what is not finite is never better."""
    if not isfinite(one):
        return False
    return not isfinite(other) or (one - other if rising else other - one) > by

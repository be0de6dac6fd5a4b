"""The one metric by which a run keeps its best checkpoint, or stops: its value, and which direction is better."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from toolbox.io.errors import UserError, did_you_mean


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
        raise UserError(f"{key}: validation measures no '{name}'{hint}")
    measured = [each for each in runner.val_evaluator.metrics if getattr(each, "name", "") == name]
    return float((metrics or {})[name]), all(getattr(each, "higher_is_better", True) for each in measured)


def better(one: float, other: float, rising: bool, by: float = 0.0) -> bool:
    """Whether `one` is better than `other` by more than `by`; what is not finite is never better."""
    if not isfinite(one):
        return False
    return not isfinite(other) or (one - other if rising else other - one) > by

"""Numbers that nothing can be trained with: NaN, and infinite rates. They would turn every weight into NaN at once."""

from __future__ import annotations

from math import isnan
from typing import Any

_INFINITE_REFUSED = ("optim_wrapper", "param_scheduler")
_MAY_BE_INFINITE = "norm_type"
"""Of `clip_grad`: the infinite norm is the largest gradient."""


def not_a_number(value: Any, path: str = "") -> tuple[str, str] | None:
    """The path of the first number that is refused, and why; None where all can be counted with.

    NaN is refused everywhere, infinity among the optimizers' settings: elsewhere it may stand for no limit.
    """
    if isinstance(value, dict):
        items = ((f"{path}.{key}" if path else key, item) for key, item in value.items())
    elif isinstance(value, list):
        items = ((f"{path}.{index}", item) for index, item in enumerate(value))
    else:
        return (path, problem) if (problem := _problem_of(value, path)) else None
    return next((found for here, item in items if (found := not_a_number(item, here))), None)


def _problem_of(value: Any, path: str) -> str | None:
    if not isinstance(value, float):
        return None
    if isnan(value):
        return "wants a number, got .nan, which is none; write the number, or leave the key out"
    section, name = path.partition(".")[0], path.rpartition(".")[2]
    if abs(value) == float("inf") and section in _INFINITE_REFUSED and name != _MAY_BE_INFINITE:
        return f"wants a finite number, got {value}; write the number, or leave the key out"
    return None

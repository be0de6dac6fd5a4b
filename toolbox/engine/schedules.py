"""Schedules of learning rates and momenta: mmengine's, counted in iterations of one endless epoch."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.optim import scheduler as mmengine_schedulers

SCALED = "scaled"
"""Where an optimizer's group keeps the factor that its rate was multiplied by, beside every schedule."""
SCHEDULES: dict[str, type] = {
    name: each for name, each in vars(mmengine_schedulers).items() if name.endswith(("LR", "Momentum"))
}
"""Every schedule a config may name."""


def signature_of(schedule: type) -> type:
    """The class whose constructor names the schedule's arguments (the schedule itself passes anything on)."""
    return next(base for base in schedule.__mro__ if base.__name__.endswith("ParamScheduler"))


def completed(config: Mapping[str, Any], groups: Iterable[str], max_iters: int) -> dict[str, list[dict[str, Any]]]:
    """`param_scheduler` with what is left out: iterations as the unit, the training's end.

    A schedule that would begin after the end (a run made shorter) never takes effect, and is no error.
    """

    def complete(item: Mapping[str, Any]) -> dict[str, Any]:
        end = max(max_iters, item.get("begin", 0) + 1)
        return {"by_epoch": False, "end": end, **item}

    listed = {group: each if isinstance(each, list) else [each] for group, each in config.items()}
    return {group: [complete(item) for item in listed.get(group, [])] for group in groups}


def warmed(optimizers: Mapping[str, Any], schedules: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """`param_scheduler` with what `optim_wrapper.<group>.warmup` asks for: so many iterations in which the rate grows.

    It grows evenly up to what the config says. Schedules that end at a rate of their own (`eta_min`) begin behind it,
    unless they say where; others run beside it, as their milestones are counted from the first iteration.
    """
    warm = {group: each["warmup"] for group, each in optimizers.items() if each.get("warmup")}
    if not warm:
        return schedules
    made: dict[str, Any] = dict(schedules or {})
    for group, length in warm.items():
        own = made.get(group) or []
        later = [_behind(each, length) for each in (own if isinstance(own, list) else [own])]
        growing = {"type": "LinearLR", "start_factor": 1 / length, "end": length}
        made[group] = [*([growing] if length > 1 else []), *later]
    return made


def _behind(schedule: Mapping[str, Any], length: int) -> dict[str, Any]:
    ends = "eta_min" in inspect.signature(signature_of(SCHEDULES[schedule["type"]])).parameters
    return {**({"begin": length} if ends else {}), **schedule}


def scale_rates(optimizers: Any, schedules: Mapping[str, list[Any]], factor: float) -> None:
    """Multiply every rate, now and in what the schedules still do; checkpoints and replayed schedules keep it."""
    for name in optimizers.keys():  # noqa: SIM118 (mmengine's dict of optimizers iterates over nothing)
        scale_group(optimizers[name].param_groups, schedules.get(name, []), factor)


def scale_group(groups: Iterable[dict[str, Any]], schedules: Iterable[Any], factor: float) -> None:
    """Multiply the rates of one optimizer's groups and its schedules."""
    for group in groups:
        for key in ("lr", "initial_lr"):
            if key in group:
                group[key] *= factor
        group[SCALED] = group.get(SCALED, 1.0) * factor
    for schedule in (schedule for schedule in schedules if schedule.param_name == "lr"):
        schedule.base_values = [value * factor for value in schedule.base_values]
        schedule._last_value = [value * factor for value in schedule._last_value]

"""A recipe of another length: whatever a config counts in iterations keeps its share of the training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolbox.io.errors import ConfigError

COUNTED = ("begin", "end", "T_max", "total_steps", "step_size", "milestones", "periods")
"""Arguments of mmengine's schedules that are iterations, or lists of them."""


def rescaled(config: Mapping[str, Any], iterations: int) -> dict[str, Any]:
    """The config trained for `iterations`: phases, schedules and validation move with the end."""
    training = dict(config["train_cfg"])
    factor = iterations / training["max_iters"]

    def scale(number: int) -> int:
        return max(1, round(number * factor))

    training["max_iters"] = iterations
    training["val_interval"] = scale(training.get("val_interval", 1000))
    if "val_begin" in training:
        training["val_begin"] = scale(training["val_begin"])
    made = {**config, "train_cfg": training, "model": dict(config["model"])}
    if config["model"].get("phases"):
        made["model"]["phases"] = [
            {**phase, "until": scale(phase["until"])} if phase.get("until") else dict(phase)
            for phase in config["model"]["phases"]
        ]
        ends = [0, *(phase["until"] for phase in made["model"]["phases"][:-1]), iterations]
        if sorted(set(ends)) != ends:
            message = f"{iterations} iterations are too few for {len(ends) - 1} phases, which would end at {ends[1:]}"
            raise ConfigError(message, key="model.phases")
    if config.get("param_scheduler"):
        made["param_scheduler"] = {
            group: [_schedule(each, scale) for each in (schedules if isinstance(schedules, list) else [schedules])]
            for group, schedules in config["param_scheduler"].items()
            if schedules
        }
    return made


def _schedule(schedule: Mapping[str, Any], scale: Any) -> dict[str, Any]:
    made = dict(schedule)
    for name, value in schedule.items():
        if name in COUNTED and isinstance(value, list):
            made[name] = [scale(each) for each in value]
        elif name in COUNTED and isinstance(value, int) and value > 0:
            made[name] = scale(value)
    return made

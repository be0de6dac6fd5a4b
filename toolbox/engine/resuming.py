"""Optimizers and schedules of a resumed run: the config says how it goes on, the checkpoint says from where.

What the config says now runs from here on. Where that is what it said before, all of it is restored bit for bit; a
group of networks whose optimizer or schedules were changed keeps its moments, and its schedules are replayed, so that
it goes on at the rate that a run with these settings from the beginning would have reached.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from toolbox.engine.packaged_optimizers import COUNTED
from toolbox.engine.schedules import SCALED, scale_group

SHAPING = ("amsgrad", "centered", "momentum")
"""Settings with which an optimizer keeps other moments than without."""
Settings = Mapping[str, Mapping[str, Any]]
"""Of `optim_wrapper` and `param_scheduler`, what the config says of each group."""


def restore_optimizers(
    optimizers: Any,
    schedules: Mapping[str, list[Any]],
    checkpoint: Mapping[str, Any],
    settings: Settings,
    logger: logging.Logger,
) -> None:
    """Restore optimizers and schedules, and say in one line which of their settings are others than before."""
    meta = checkpoint["meta"]
    before = {"optim_wrapper": meta.get("optimizers") or {}, "param_scheduler": meta["schedules"]}
    notes: list[str] = []
    for name in optimizers.keys():  # noqa: SIM118 (mmengine's dict of optimizers iterates over nothing)
        own = schedules.get(name, [])
        was, now = ({section: each.get(name) for section, each in given.items()} for given in (before, settings))
        changes = changed_settings(name, was, now)
        if not changes:
            optimizers[name].load_state_dict(checkpoint["optimizer"][name])
            for schedule, state in zip(own, checkpoint["param_schedulers"].get(name, []), strict=True):
                schedule.load_state_dict(state)
            continue
        state = dict(checkpoint["optimizer"][name])
        counted = COUNTED
        if _other_moments(was["optim_wrapper"] or {}, now["optim_wrapper"] or {}):
            state["state"], counted = {}, ()
            changes.append(f"the {name}'s moments begin anew")
        factor = state["param_groups"][0].get(SCALED, 1.0)
        for schedule in (schedule for _ in range(meta["iter"] if own else 0) for schedule in own):
            schedule.step()
        # replaced before they are loaded: torch places the moments by what the groups say
        state["param_groups"] = [
            {**replayed, **{key: saved[key] for key in ("params", *counted) if key in saved}}
            for replayed, saved in zip(optimizers[name].param_groups, state["param_groups"], strict=True)
        ]
        optimizers[name].load_state_dict(state)
        if factor != 1:
            scale_group(optimizers[name].param_groups, own, factor)
            changes.append(f"the {name}'s rates stay scaled by {factor:g}")
        notes += changes
    if not before["optim_wrapper"]:
        logger.warning("the checkpoint does not say how its optimizers were set: the config's settings are used")
    elif notes:
        logger.warning("%s, from iteration %d on", "; ".join(notes), meta["iter"])


def changed_settings(name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between the settings of a group: `optim_wrapper.generator.optimizer.lr: 0.0002 → 0.001`."""
    old, new = (
        {key: value for section, each in given.items() for key, value in _leaves(each, f"{section}.{name}")}
        for given in (was, now)
    )
    return [
        f"{key}: {old.get(key, 'unset')} → {new.get(key, 'unset')}"
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Every setting with its place; a list of numbers is one setting, a list of schedules is several."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, f"{key}.{name}")
    elif isinstance(value, (list, tuple)) and any(isinstance(each, Mapping) for each in value):
        for number, each in enumerate(value):
            yield from _leaves(each, f"{key}.{number}")
    elif value is not None and value not in ([], ()):
        yield key, list(value) if isinstance(value, tuple) else value


def _other_moments(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the moments of one optimizer are none for the other."""
    new = now["optimizer"]
    old = was.get("optimizer", new)
    return old["type"] != new["type"] or any(bool(old.get(key)) != bool(new.get(key)) for key in SHAPING)

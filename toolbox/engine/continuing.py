"""What a resumed run must share with the run it continues: its networks, losses and GAN objective."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from toolbox.config.values import show
from toolbox.io.errors import UserError

FREE = ("channels_last", "one_graph", "compile", "checkpointing")
"""How it is computed, which may change."""
NOTED = ("phases", "degradation", "mixtures", "weights", "sha256")
"""What may change, and is said: when losses count, the damage and the mixing of inputs, where fixed weights lie."""
SHOWN = 3


def lasting(data: Mapping[str, Any]) -> dict[str, Any]:
    """What of a config a checkpoint keeps, to be compared when the run is resumed: the model, the training data."""
    return {"model": data["model"], "dataset": (data.get("train_dataloader") or {}).get("dataset")}


def refuse_changes(filename: str, before: Mapping[str, Any], now: Mapping[str, Any], logger: logging.Logger) -> None:
    """Raise UserError, naming the keys, where the model is another than in the run that wrote `filename`.

    Data, phases, degradations and paths of fixed weights may change; the log says so.
    """
    changes = dict(differences(before.get("model"), now["model"], "model"))
    noted = {key: change for key, change in changes.items() if not set(NOTED).isdisjoint(key.split("."))}
    noted |= dict(differences(before.get("dataset"), now["dataset"], "train_dataloader.dataset"))
    for key, (old, new) in noted.items():
        logger.warning("%s was %s and is %s from here on", key, old, new)
    refused = [
        f"{key} was {old} and is {new}"
        for key, (old, new) in changes.items()
        if key not in noted and set(FREE).isdisjoint(key.split("."))
    ]
    if refused:
        more = f" (and {len(refused) - SHOWN} more)" if len(refused) > SHOWN else ""
        raise UserError(
            f"{filename}: is of another model: {', '.join(refused[:SHOWN])}{more}; change it back, or begin anew with "
            "its weights alone: --resume weights"
        )


def differences(before: Any, now: Any, key: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Dotted keys whose values differ, each with both values as text."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys([*before, *now]):
            yield from differences(before.get(name), now.get(name), f"{key}.{name}")
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (one, other) in enumerate(zip(before, now, strict=True)):
            yield from differences(one, other, f"{key}.{index}")
    elif before != now:
        yield key, (_short(before), _short(now))


def _short(value: Any) -> str:
    return "left out" if value is None else show(value)

"""What a checkpoint holds of a model: tensors and plain types, without the prefixes of distributed wrappers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from toolbox.contracts.network import FeatureNetwork, unwrapped
from toolbox.io.errors import UserError
from toolbox.weights.spectral_norm import with_singular_vectors

OWN = "_extra_state"
"""How torch ends the keys of what modules save beside tensors: pools, random generators, counters."""


def plain(value: Any, place: str = "checkpoint") -> Any:
    """Reduce to what `weights_only=True` reads back: tensors on the CPU, plain containers, numbers and strings."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, Mapping):
        return {key: plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item, place) for item in value) if type(value) in (list, tuple) else [*value]
    if isinstance(value, HistoryBuffer):
        log, counts = value.data
        return {"history": torch.from_numpy(np.array(log, float)), "counts": torch.from_numpy(np.array(counts, float))}
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    raise TypeError(f"{place} holds a {type(value).__name__}, which a safe checkpoint cannot")


def portable_state(model: nn.Module) -> dict[str, Any]:
    """The model's state dict, whatever wraps its networks.

    Losses and feature networks are left out: they hold nothing trained.
    """
    wrapped = [name for name, child in model.named_children() if isinstance(child, DistributedDataParallel)]
    state = {}
    for key, value in model.state_dict().items():
        head = key.split(".", 1)[0]
        if head == "losses" or isinstance(getattr(model, head, None), FeatureNetwork):
            continue
        state[key.replace(f"{head}.module.", f"{head}.", 1) if head in wrapped else key] = value
    return state


def load_portable_state(
    model: nn.Module,
    state: Mapping[str, Any],
    source: str,
    *,
    partly: bool = False,
    checkpoint: Path | None = None,
) -> list[str]:
    """Load a portable state dict; missing, unexpected and misshapen keys are an error that lists them.

    It names the config that the run of `checkpoint` left beside it: `--cfg-options` may have changed the networks.

    With `partly`, children of which the state holds no key at all stay as they are (a second stage adds a
    discriminator to a first stage's generator); their names are returned. So may a second stage normalise spectrally
    what a first one did not.
    """
    for name, child in model.named_children() if partly else ():
        state = with_singular_vectors(unwrapped(child), state, f"{name}.")
    own = portable_state(model)
    shape = lambda value: tuple(value.shape) if isinstance(value, Tensor) else None  # noqa: E731
    present = {key.split(".", 1)[0] for key in state}
    absent = sorted({key.split(".", 1)[0] for key in own} - present) if partly else []
    own = {key: value for key, value in own.items() if key.split(".", 1)[0] not in absent}
    problems = [f"missing {key}" for key in own if key not in state]
    problems += [f"unexpected {key}" for key in state if key not in own]
    problems += [
        f"{key} has shape {shape(state[key])} instead of {shape(own[key])}"
        for key in own
        if key in state and shape(own[key]) != shape(state[key])
    ]
    if problems:
        more = f", and {len(problems) - 6} more" if len(problems) > 6 else ""
        left = checkpoint.parent / "config.yaml" if checkpoint else None
        way = f"; as it was trained, with its --cfg-options, the config is {left}" if left and left.is_file() else ""
        raise UserError(f"{source}: does not fit the config's model: {'; '.join(problems[:6])}{more}{way}")
    wrapped = [name for name, child in model.named_children() if isinstance(child, DistributedDataParallel)]
    renamed = {}
    for key, value in state.items():
        head, _, tail = key.partition(".")
        renamed[f"{head}.module.{tail}" if head in wrapped else key] = value
    try:  # strictness was above: only losses and absent children are missing
        model.load_state_dict(renamed, strict=False)
    except (UserError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:  # a module's own
        raise UserError(f"{source}: its state cannot be restored ({' '.join(str(error).split())[:120]})") from error
    return absent

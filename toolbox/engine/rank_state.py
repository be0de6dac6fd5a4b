"""What each rank of a run has of its own: random numbers, pools; and mmengine's log, as checkpoints keep it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.dist import all_gather_object, is_distributed
from mmengine.logging import HistoryBuffer
from torch import nn

from toolbox.engine.random_state import random_state
from toolbox.weights.state import OWN, plain, portable_state


def message_hub_state(packed: Mapping[str, Any]) -> dict[str, Any]:
    """What mmengine's message hub loads, from what `plain` made of its state."""
    scalars = {
        name: HistoryBuffer(each["history"].tolist(), each["counts"].tolist())
        for name, each in packed.get("log_scalars", {}).items()
    }
    return {**packed, "log_scalars": scalars}


def rank_states(model: nn.Module) -> list[dict[str, Any]]:
    """What differs from rank to rank (random numbers, pools), gathered from all of them; every rank must call it."""
    own = {key: plain(value) for key, value in portable_state(model).items() if key.endswith(OWN)}
    state = {"random": plain(random_state()), "own": own}
    return all_gather_object(state) if is_distributed() else [state]

"""A format: how somebody else's file of this plugin's generator is read, and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolbox import CheckpointFormat, State, UserError

THEIRS = {"features": "net", "detail": "tail"}
"""First parts of the keys: this network's, and the layout's."""


class SmoothShuffleFlat(CheckpointFormat):
    """Files that call the layers `net.{i}` and `tail`, in a bare state dict."""

    network = "SmoothShuffleUpscaler"
    layout = "flat"
    needs = ("net.0.weight", "net.0.bias", "tail.weight", "tail.bias")

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Width and channels from the first convolution, depth from their number, scale from the last one."""
        width, channels = state["net.0.weight"].shape[:2]
        depth = sum(key.startswith("net.") and key.endswith(".weight") for key in state)
        last = len(state["tail.weight"])
        scale = round((last / channels) ** 0.5)
        if scale**2 * channels != last:
            raise UserError(f"'tail.weight' has {last} channels, which is no square times {channels}")
        return {"channels": channels, "width": width, "depth": depth, "scale": scale}

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """To the network's own keys."""
        return _renamed(state, {theirs: ours for ours, theirs in THEIRS.items()})

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """To the layout's keys."""
        return _renamed(state, THEIRS)


def _renamed(state: Mapping[str, Tensor], names: Mapping[str, str]) -> State:
    """A state dict with the first part of each key replaced; a part without another name stays."""
    parts = {key: key.partition(".") for key in state}
    return {f"{names.get(head, head)}.{tail}": state[key] for key, (head, _, tail) in parts.items()}

"""The layout of CycleGAN's official weight files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from toolbox.errors import UserError
from toolbox.weights.checkpoint_format import CheckpointFormat, State, count, shape

from .official_weights import STALE

BLOCKS = 10
"""The place of the first residual block, after three convolutions with norm and activation each."""


class ResnetGeneratorOfficial(CheckpointFormat):
    """CycleGAN's official ones: `model.{1,4,7}`, `model.{10...}.conv_block.{1,5|6}`, and so on; a bare dict."""

    network = "ResnetGenerator"
    layout = "cyclegan"
    needs = ("model.1.weight", "model.4.weight", "model.7.weight")

    def matches(self, keys: Collection[str]) -> bool:
        """The first residual block stands at place 10, as `conv_block` (others write `block`, and are told so)."""
        ours = any(key.startswith((f"model.{BLOCKS}.conv_block.", f"model.{BLOCKS}.block.")) for key in keys)
        return ours and super().matches(keys)

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Batch norm is known by its weights and running statistics; instance norm here has neither.

        Raises:
            UserError: the instance norm is affine.
        """
        width, in_channels = shape(state, "model.1.weight")[:2]
        batch = "model.2.weight" in state and "model.2.running_mean" in state
        if "model.2.weight" in state and not batch:
            raise UserError("its instance norm has weights (affine: true), which ResnetGenerator's does not")
        blocks = count(state, r"model\.(\d+)\.conv_block\.", start=BLOCKS)
        after = BLOCKS + blocks
        last = f"model.{after + 7}.weight"  # two enlargements of three layers each, and a padding
        return {
            "in_channels": in_channels,
            "out_channels": shape(state, last)[0],
            "width": width,
            "blocks": blocks,
            "norm": "batch" if batch else "instance",
            "dropout": f"model.{BLOCKS}.conv_block.6.weight" in state
            and state[f"model.{BLOCKS}.conv_block.6.weight"].dim() == 4,
            "upsample": "resize" if f"model.{after}.conv.weight" in state else "transposed",
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The network's keys are the official ones; running statistics of instance norm, in old files, are left out."""
        if "model.2.weight" in state:
            return dict(state)
        return {key: value for key, value in state.items() if key.rpartition(".")[2] not in STALE}

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The network's keys are the official ones."""
        return dict(state)

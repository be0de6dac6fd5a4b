"""The layouts of CycleGAN's and CUT's official weight files, and of their kin."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from torch import Tensor

from toolbox import CheckpointFormat, State
from toolbox.contracts.checkpoint_format import count, shape

from .official_weights import STALE

BLOCKS, BLOCKS_BETWEEN_BLURS = 10, 12
"""The place of the first residual block: after three convolutions with norm and activation each, or two blurs more."""


class ResnetGeneratorOfficial(CheckpointFormat):
    """CycleGAN's official ones: `model.{1,4,7}`, `model.{10...}.conv_block.{1,5|6}`, and so on; a bare dict.

    CUT's too, whose blurs (`model.7.filt`) move what follows by two places.
    """

    network = "ResnetGenerator"
    layout = "cyclegan"
    needs = ("model.1.weight", "model.4.weight")
    block: ClassVar[str] = "conv_block"
    """What a residual block calls its layers."""

    def matches(self, keys: Collection[str]) -> bool:
        """The first residual block stands at its place, under the name that this layout gives its layers."""
        start = f"model.{BLOCKS_BETWEEN_BLURS if 'model.7.filt' in keys else BLOCKS}.{self.block}."
        return super().matches(keys) and any(key.startswith(start) for key in keys)

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Batch norm is known by its weights and by convolutions without bias; instance norm has at most weights."""
        width, in_channels = shape(state, "model.1.weight")[:2]
        affine = "batch" if _is_batch_norm(state) else "instance_affine"
        antialias = "model.7.filt" in state
        first = BLOCKS_BETWEEN_BLURS if antialias else BLOCKS
        blocks = count(state, rf"model\.(\d+)\.{self.block}\.", start=first)
        after = first + blocks
        last = f"model.{after + (9 if antialias else 7)}.weight"  # two enlargements of three layers each, and a padding
        late = state.get(f"model.{first}.{self.block}.6.weight")
        return {
            "in_channels": in_channels,
            "out_channels": shape(state, last)[0],
            "width": width,
            "blocks": blocks,
            "norm": affine if "model.2.weight" in state else "instance",
            "dropout": late is not None and late.dim() == 4,
            "upsample": "resize" if f"model.{after}.conv.weight" in state else "transposed",
            "antialias": antialias,
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The network's keys are the official ones; running statistics of instance norm, in old files, are left out."""
        stale = () if _is_batch_norm(state) else STALE
        renamed = {re.sub(rf"^(model\.\d+)\.{self.block}\.", r"\1.conv_block.", key): key for key in state}
        return {key: state[old] for key, old in renamed.items() if key.rpartition(".")[2] not in stale}

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The network's keys are the official ones, whatever this layout calls a block's layers."""
        return {key.replace(".conv_block.", f".{self.block}."): value for key, value in state.items()}


class ResnetGeneratorVintagify(ResnetGeneratorOfficial):
    """The same places with `block` for `conv_block`, as in the PyPI package vintagify, whose instance norm has weights.

    Its file, resources/G_A2B_epoch33.pth (MIT), turns photographs into old ones.
    """

    layout = "vintagify"
    block = "block"


def _is_batch_norm(state: Mapping[str, Tensor]) -> bool:
    return "model.2.running_mean" in state and "model.2.weight" in state and "model.1.bias" not in state

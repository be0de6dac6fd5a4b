"""The layout of pix2pix's official weight files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolbox import CheckpointFormat, State
from toolbox.contracts.checkpoint_format import shape

INWARDS = 12
"""More levels than any image has."""


class UnetGeneratorOfficial(CheckpointFormat):
    """Official U-Nets: `model.model.0`, `model.model.1.model.1`, `model.model.1.model.3.model.1`, ...; a bare dict.

    A file does not say whether it was trained with dropout, which only training asks for. Batch norm is taken for
    `instance_affine` where the file has no running statistics; official ones have them and give `batch`.
    """

    network = "UnetGenerator"
    layout = "pix2pix"
    needs = ("model.model.0.weight", "model.model.1.model.1.weight", "model.model.3.weight")

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Levels are counted inwards; a norm is known by its weights and running statistics."""
        width, in_channels = shape(state, "model.model.0.weight")[:2]
        place, levels = "model.model.1", 2
        while f"{place}.model.3.model.1.weight" in state and levels < INWARDS:
            place, levels = f"{place}.model.3", levels + 1
        innermost = f"{place}.model.4"  # two activations and two convolutions, and its only norm
        if f"{innermost}.weight" not in state:
            norm = "instance"  # or none: without parameters they cannot be told apart
        else:
            norm = "batch" if f"{innermost}.running_mean" in state else "instance_affine"
        return {
            "in_channels": in_channels,
            "out_channels": shape(state, "model.model.3.weight")[1],
            "width": width,
            "levels": levels,
            "norm": norm,
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The network's keys are the official ones."""
        return dict(state)

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The network's keys are the official ones."""
        return dict(state)

"""The layout of the discriminator files of CycleGAN, pix2pix and CUT."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from toolbox import CheckpointFormat, State
from toolbox.contracts.checkpoint_format import shape

from .official_weights import STALE


class PatchDiscriminatorOfficial(CheckpointFormat):
    """Their `latest_net_D*.pth`: convolutions at `model.{0,2,5,8,11}`, or with CUT's blurs at `model.{0,3,7,11,14}`."""

    kind = "discriminators"
    network = "PatchDiscriminator"
    layout = "cyclegan"
    needs = ("model.0.weight",)

    def matches(self, keys: Collection[str]) -> bool:
        """A row of layers whose first is a convolution; a generator's first is a padding, and DnCNN has no norms."""
        if {"model.2.weight", "model.4.weight"} <= set(keys):
            return False
        flat = all(re.fullmatch(r"model\.\d+\.\w+", key) for key in keys)
        return super().matches(keys) and flat and "model.1.weight" not in keys

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Batch norm is known by its running means and weights."""
        width, in_channels = shape(state, "model.0.weight")[:2]
        convolutions = [key for key, value in state.items() if key.endswith(".weight") and value.dim() == 4]
        affine = any(key.endswith(".weight") and value.dim() == 1 for key, value in state.items())
        return {
            "in_channels": in_channels,
            "width": width,
            "layers": len(convolutions) - 2,
            "norm": "batch" if affine else "instance",
            "antialias": any(key.endswith(".filt") for key in state),
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The network's keys are the official ones; running statistics of instance norm, in old files, are left out."""
        batch = self.arguments(state)["norm"] == "batch"
        return {key: value for key, value in state.items() if batch or key.rpartition(".")[2] not in STALE}

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The network's keys are the official ones."""
        return dict(state)

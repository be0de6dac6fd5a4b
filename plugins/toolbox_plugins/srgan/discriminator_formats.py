"""The layout of BasicSR's VGG-style discriminator files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolbox import CheckpointFormat, State, UserError
from toolbox.contracts.checkpoint_format import count, shape


class VGGStyleDiscriminatorBasicSR(CheckpointFormat):
    """ESRGAN's and SRGAN's `net_d_*.pth`: `conv{0-4}_{0,1}`, `bn{0-4}_{0,1}`, `linear1`, `linear2`, in `params`."""

    kind = "discriminators"
    network = "VGGStyleDiscriminator"
    layout = "basicsr"
    wrapper = "params"
    needs = ("conv0_0.weight", "conv0_1.weight", "linear1.weight", "linear2.weight")

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The size of its images shows in the first linear layer."""
        width, in_channels = shape(state, "conv0_0.weight")[:2]
        stages = count(state, r"conv(\d+)_0\.")
        channels, positions = shape(state, f"conv{stages - 1}_1.weight")[0], shape(state, "linear1.weight", 2)[1]
        side = round((positions / channels) ** 0.5)
        if channels * side**2 != positions:
            raise UserError(f"'linear1.weight' takes {positions} features, which are no square times {channels}")
        return {
            "in_channels": in_channels,
            "width": width,
            "stages": stages,
            "image_size": side * 2**stages,
            "norm": "batch" if "bn0_1.weight" in state else "none",
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The network has the published keys."""
        return dict(state)

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The network has the published keys."""
        return dict(state)

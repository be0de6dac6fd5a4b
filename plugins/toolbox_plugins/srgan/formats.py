"""Layouts of MSRResNet's weight files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolbox import CheckpointFormat, State, UserError
from toolbox.contracts.checkpoint_format import count, renamed, root, shape

TO_MMAGIC = (
    (r"body\.(\d+)\.", r"trunk_net.\1."),
    (r"upconv(\d)\.", r"upsample\1.upsample_conv."),
)
FROM_MMAGIC = (
    (r"trunk_net\.(\d+)\.", r"body.\1."),
    (r"upsample(\d)\.upsample_conv\.", r"upconv\1."),
)


class SRResNetBasicSR(CheckpointFormat):
    """BasicSR's MSRResNet: `conv_first, body.{i}.conv1|conv2, upconv1, upconv2, conv_hr, conv_last` in `params`."""

    network = "SRResNet"
    layout = "basicsr"
    wrapper = "params"
    needs = ("conv_first.weight", "body.0.conv1.weight", "upconv1.weight", "conv_hr.weight")  # EDSR has blocks alike

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """One convolution before a pixel shuffle is x2 or x3, by its width; two are x4, three x8."""
        width, in_channels = shape(state, "conv_first.weight")[:2]
        steps = count(state, r"upconv([1-9])\.weight", start=1)
        factors = [root(shape(state, f"upconv{i + 1}.weight")[0], width, f"upconv{i + 1}.weight") for i in range(steps)]
        scale = {(2,): 2, (3,): 3, (2, 2): 4, (2, 2, 2): 8}.get(tuple(factors))
        if scale is None:
            raise UserError(f"it enlarges in steps of {factors}, where [2], [3], [2, 2] and [2, 2, 2] are known")
        return {
            "in_channels": in_channels,
            "out_channels": shape(state, "conv_last.weight")[0],
            "width": width,
            "blocks": count(state, r"body\.(\d+)\.conv1\.weight"),
            "scale": scale,
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The network has BasicSR's keys."""
        return dict(state)

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The network has BasicSR's keys."""
        return dict(state)


class SRResNetMMagic(SRResNetBasicSR):
    """MMagic's MSRResNet: `trunk_net.{i}.conv1|conv2` and `upsample1.upsample_conv`, in `state_dict`.

    MMagic writes `generator.` before each key, which the importer takes off; exported files have it too.
    """

    layout = "mmagic"
    wrapper = "state_dict"
    needs = ("conv_first.weight", "trunk_net.0.conv1.weight", "upsample1.upsample_conv.weight", "conv_hr.weight")

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """As BasicSR's, whose shapes are the same."""
        return super().arguments(self.convert(state))

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """To BasicSR's keys."""
        return renamed(state, FROM_MMAGIC)

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """To MMagic's keys."""
        return {f"generator.{key}": value for key, value in renamed(state, TO_MMAGIC).items()}

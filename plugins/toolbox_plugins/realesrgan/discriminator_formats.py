"""The layout of Real-ESRGAN's discriminator files."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from toolbox import CheckpointFormat, State
from toolbox.contracts.checkpoint_format import shape


class UNetDiscriminatorBasicSR(CheckpointFormat):
    """Real-ESRGAN's `RealESRGAN_x4plus_netD.pth` and its kin: `conv0` ... `conv9`, in `params`.

    Their spectral norm is folded by the importer, so that the file fits a network with spectral norm and one without.
    """

    kind = "discriminators"
    network = "UNetDiscriminator"
    layout = "basicsr"
    wrapper = "params"
    needs = ("conv0.weight", "conv4.weight", "conv9.weight")

    def matches(self, keys: Collection[str]) -> bool:
        """Nothing but ten convolutions."""
        return super().matches(keys) and all(re.fullmatch(r"conv\d\.(weight|bias)", key) for key in keys)

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Whether it adds the features of the way down does not show; Real-ESRGAN's does."""
        width, in_channels = shape(state, "conv0.weight")[:2]
        return {"in_channels": in_channels, "width": width, "spectral_norm": False}

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The network has the published keys."""
        return dict(state)

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The network has the published keys."""
        return dict(state)

"""The layout of the weight files of PyTorch's fast_neural_style example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolbox import CheckpointFormat, State
from toolbox.contracts.checkpoint_format import count, shape

from .transform_net import STALE


class FastNeuralStyle(CheckpointFormat):
    """The example's files: `conv1.conv2d, in1, res1.conv1.conv2d, ..., deconv3.conv2d`; a bare dict."""

    network = "TransformNet"
    layout = "fast_neural_style"
    needs = ("conv1.conv2d.weight", "in1.weight", "deconv1.conv2d.weight", "deconv3.conv2d.weight")

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Read from the first and the last convolution, and the number of blocks."""
        width, in_channels = shape(state, "conv1.conv2d.weight")[:2]
        return {
            "in_channels": in_channels,
            "out_channels": shape(state, "deconv3.conv2d.weight")[0],
            "width": width,
            "blocks": count(state, r"res(\d+)\.conv1\.conv2d\.weight", start=1),
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The network's keys are the example's; the statistics of old files are left out."""
        return {key: value for key, value in state.items() if key.rpartition(".")[2] not in STALE}

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The network's keys are the example's."""
        return dict(state)

"""The layout of SRVGGNetCompact's weight files, and its ncnn graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from toolbox import CheckpointFormat, State, UserError
from toolbox.contracts.checkpoint_format import count, root, shape
from toolbox.contracts.ncnn_graph import NcnnGraph


class SRVGGNetCompactBasicSR(CheckpointFormat):
    """Real-ESRGAN's: `body.{0,2,4,...}` convolutions, `body.{1,3,5,...}.weight` PReLU slopes; in `params`.

    Of a network with ReLU or LeakyReLU, which have no weights, the file does not tell which one; those are refused.
    """

    network = "SRVGGNetCompact"
    layout = "basicsr"
    wrapper = "params"
    needs = ("body.0.weight", "body.2.weight")

    def matches(self, keys: Collection[str]) -> bool:
        """Nothing but `body.{i}.weight` and `body.{i}.bias`."""
        return super().matches(keys) and all(key.count(".") == 2 and key.startswith("body.") for key in keys)

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """`convs` counts the convolutions between the first and the last, as Real-ESRGAN does."""
        width, in_channels = shape(state, "body.0.weight")[:2]
        if "body.1.weight" not in state:
            raise UserError(
                "its activations have no weights, and it does not say whether they are ReLU or LeakyReLU; "
                "networks with PReLU can be imported"
            )
        layers = count(state, r"body\.(\d+)\.weight")
        if layers < 3 or layers % 2 == 0:
            raise UserError(f"it has {layers} layers in a row, where convolutions and PReLUs end with a convolution")
        last = f"body.{layers - 1}.weight"
        channels = shape(state, last)[0]
        # the enlarged input is added to the output; one channel may be added to three
        out_channels = 3 if in_channels == 1 and round((channels / 3) ** 0.5) ** 2 * 3 == channels else in_channels
        return {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "width": width,
            "convs": (layers - 3) // 2,
            "scale": root(channels, out_channels, last),
            "activation": "prelu",
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The network has the published keys."""
        return dict(state)

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The network has the published keys."""
        return dict(state)

    def from_ncnn(self, graph: NcnnGraph) -> State | None:
        """Convolutions and PReLUs in turn, a pixel shuffle, and the enlarged input added.

        Raises:
            UserError: the output is reduced once more (realesr-animevideov3-x2 and -x3).
        """
        convolutions, slopes = graph.convolutions, graph.slopes
        if len(slopes) < 2 or len(convolutions) != len(slopes) + 1:
            return None
        scale = round((len(convolutions[-1][0]) / convolutions[0][0].shape[1]) ** 0.5)
        node = graph.input
        for i in range(len(slopes)):
            node = graph.node("prelu", i, graph.node("conv", i, node))
        node = graph.node("shuffle", scale, graph.node("conv", len(slopes), node))
        output = graph.add((node, 1.0), (graph.node("nearest", scale, graph.input), 1.0))
        for factor in (1 / 2, 3 / 4):
            if graph.output in (graph.node(how, factor, output) for how in ("bilinear", "bicubic")):
                raise UserError(
                    f"is the x{scale} network with its output reduced to {factor:g}; import the x{scale} file instead, "
                    "which has the same weights"
                )
        if graph.output != output:
            return None
        state: State = {}
        for i, (weight, bias) in enumerate(convolutions):
            state |= {f"body.{2 * i}.weight": weight, f"body.{2 * i}.bias": bias}
        return state | {f"body.{2 * i + 1}.weight": slope for i, slope in enumerate(slopes)}

"""Layouts of RRDBNet's weight files: BasicSR's, xinntao's and the old architecture's; and its ncnn graph."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count as counter
from typing import Any

from torch import Tensor

from toolbox import CheckpointFormat, State, UserError
from toolbox.contracts.checkpoint_format import count, renamed, shape
from toolbox.contracts.ncnn_graph import NcnnGraph

from .rrdbnet import SHARE, UNSHUFFLE

SLOPE = 0.2
FROM_XINNTAO = (
    (r"RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2."),
    (r"trunk_conv\.", "conv_body."),
    (r"upconv(\d)\.", r"conv_up\1."),
    (r"HRconv\.", "conv_hr."),
)
TO_XINNTAO = (
    (r"body\.(\d+)\.rdb(\d)\.", r"RRDB_trunk.\1.RDB\2."),
    (r"conv_body\.", "trunk_conv."),
    (r"conv_up(\d)\.", r"upconv\1."),
    (r"conv_hr\.", "HRconv."),
)
FROM_OLD = (
    (r"model\.0\.", "conv_first."),
    (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."),
    (r"model\.1\.sub\.(\d+)\.(?=weight|bias)", "conv_body."),
    (r"model\.3\.", "conv_up1."),
    (r"model\.6\.", "conv_up2."),
    (r"model\.8\.", "conv_hr."),
    (r"model\.10\.", "conv_last."),
)


class RRDBNetBasicSR(CheckpointFormat):
    """BasicSR's and Real-ESRGAN's: `conv_first, body.{i}.rdb{1-3}.conv{1-5}, conv_body, ...` in `params[_ema]`.

    MMagic writes the same keys with `generator.` before them.
    """

    network = "RRDBNet"
    layout = "basicsr"
    wrapper = "params"
    needs = ("conv_first.weight", "body.0.rdb1.conv1.weight", "conv_up2.weight", "conv_last.weight")

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """At x2 and x1 the first convolution sees 4 and 16 times the channels that the last gives; else it is x4."""
        state = self.convert(state)
        width, seen = shape(state, "conv_first.weight")[:2]
        out_channels = shape(state, "conv_last.weight")[0]
        if any(".conv1x1." in key for key in state):
            raise UserError("it is ESRGAN+'s network (conv1x1 in the dense blocks), which RRDBNet does not have")
        scale = next((s for s, factor in UNSHUFFLE.items() if seen == out_channels * factor**2), 4)
        return {
            "in_channels": seen // UNSHUFFLE[scale] ** 2,
            "out_channels": out_channels,
            "width": width,
            "blocks": count(state, r"body\.(\d+)\.rdb1\.conv1\.weight"),
            "growth": shape(state, "body.0.rdb1.conv1.weight")[0],
            "scale": scale,
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The network has BasicSR's keys."""
        return dict(state)

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The network has BasicSR's keys."""
        return dict(state)

    def from_ncnn(self, graph: NcnnGraph) -> State | None:
        """The x4 network's graph; x2 and x1 fold their input by layers that ncnn's converters write in many ways."""
        blocks, rest = divmod(len(graph.convolutions) - 6, 15)
        if rest or blocks < 1 or graph.slopes or graph.output != _graph(graph, blocks):
            return None
        names = ["conv_first"]
        names += [f"body.{i}.rdb{j}.conv{k}" for i in range(blocks) for j in (1, 2, 3) for k in (1, 2, 3, 4, 5)]
        names += ["conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
        state = {}
        for name, (weight, bias) in zip(names, graph.convolutions, strict=True):
            state |= {f"{name}.weight": weight, f"{name}.bias": bias}
        return state


class RRDBNetXinntao(RRDBNetBasicSR):
    """ESRGAN's and BSRGAN's first repositories: `RRDB_trunk.{i}.RDB{1-3}`, `trunk_conv`, `HRconv`; a bare dict."""

    layout = "xinntao"
    wrapper = None
    needs = ("conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight", "upconv2.weight", "conv_last.weight")

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """To BasicSR's keys."""
        return renamed(state, FROM_XINNTAO)

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """To xinntao's keys."""
        return renamed(state, TO_XINNTAO)

    def from_ncnn(self, graph: NcnnGraph) -> State | None:
        """BasicSR's layout takes the graphs."""
        return None


class RRDBNetOldArch(RRDBNetXinntao):
    """The community's ESRGAN files: `model.0`, `model.1.sub.{i}.RDB{1-3}.conv{1-5}.0`, ... `model.10`; a bare dict."""

    layout = "old-arch"
    needs = ("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight")

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Files of other scales have more or fewer than two enlarging convolutions, and so other places."""
        if "model.10.weight" not in state:
            raise UserError(
                "it has no model.10, its last convolution where two steps of x2 enlarge: it is of another scale "
                "(x2 and x8 of this layout), which RRDBNet does not have"
            )
        return super().arguments(state)

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """To BasicSR's keys."""
        return renamed(state, FROM_OLD)

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """To the old architecture's keys; the convolution after the blocks is numbered after them."""
        blocks = count(state, r"body\.(\d+)\.rdb1\.conv1\.weight")
        back = (
            (r"conv_first\.", "model.0."),
            (r"body\.(\d+)\.rdb(\d)\.conv(\d)\.", r"model.1.sub.\1.RDB\2.conv\3.0."),
            (r"conv_body\.", f"model.1.sub.{blocks}."),
            (r"conv_up1\.", "model.3."),
            (r"conv_up2\.", "model.6."),
            (r"conv_hr\.", "model.8."),
            (r"conv_last\.", "model.10."),
        )
        return renamed(state, back)


def _graph(graph: NcnnGraph, blocks: int) -> int:
    """The node that RRDBNet's output would be in the graph."""
    number = counter()

    def conv(node: int, *, slope: float | None = None) -> int:
        made = graph.node("conv", next(number), node)
        return made if slope is None else graph.node("leaky", slope, made)

    first = features = conv(graph.input)
    for _ in range(blocks):
        block = features
        for _ in range(3):
            dense = [features]
            for _ in range(4):
                dense.append(conv(graph.concat(dense), slope=SLOPE))
            features = graph.add((conv(graph.concat(dense)), SHARE), (features, 1.0))
        features = graph.add((features, SHARE), (block, 1.0))
    features = graph.add((conv(features), 1.0), (first, 1.0))
    for _ in range(2):
        features = conv(graph.node("nearest", 2.0, features), slope=SLOPE)
    return conv(conv(features, slope=SLOPE))

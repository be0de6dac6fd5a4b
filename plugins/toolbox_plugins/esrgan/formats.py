"""Layouts of RRDBNet's weight files: BasicSR's, xinntao's and the old architecture's; and its ncnn graph."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count as counter
from typing import Any

from torch import Tensor

from toolbox import CheckpointFormat, State, UserError
from toolbox.contracts.checkpoint_format import count, renamed, shape
from toolbox.contracts.ncnn_graph import NcnnGraph

from .rrdbnet import SCALES, SHARE, UNSHUFFLE

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


class RRDBNetBasicSR(CheckpointFormat):
    """BasicSR's and Real-ESRGAN's: `conv_first, body.{i}.rdb{1-3}.conv{1-5}, conv_body, ...` in `params[_ema]`.

    MMagic writes the same keys with `generator.` before them.
    """

    network = "RRDBNet"
    layout = "basicsr"
    wrapper = "params"
    needs = ("conv_first.weight", "body.0.rdb1.conv1.weight", "conv_hr.weight", "conv_last.weight")

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Each enlarging convolution doubles the size.

        Where there are two, and the first convolution sees 4 or 16 times the channels that the last gives, pixels are
        folded and it is x2 or x1.
        """
        state = self.convert(state)
        width, seen = shape(state, "conv_first.weight")[:2]
        out_channels = shape(state, "conv_last.weight")[0]
        if any(".conv1x1." in key for key in state):
            raise UserError("it is ESRGAN+'s network (conv1x1 in the dense blocks), which RRDBNet does not have")
        enlargements = count(state, r"conv_up(\d)\.weight", start=1)
        if enlargements >= len(SCALES):
            raise UserError(f"it enlarges {enlargements} times by 2, and RRDBNet at most {len(SCALES) - 1} times")
        scale = SCALES[enlargements]
        folded = (s for s, factor in UNSHUFFLE.items() if scale == 4 and seen == out_channels * factor**2)
        scale = next(folded, scale)
        factor = SCALES[enlargements] // scale
        return {
            "in_channels": seen // factor**2,
            "out_channels": out_channels,
            "width": width,
            "blocks": count(state, r"body\.(\d+)\.rdb1\.conv1\.weight"),
            "growth": shape(state, "body.0.rdb1.conv1.weight")[0],
            "scale": scale,
            **({"fold": False} if scale in UNSHUFFLE and factor == 1 else {}),
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
    needs = ("conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight", "HRconv.weight", "conv_last.weight")

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
    """The community's ESRGAN files: `model.0`, `model.1.sub.{i}.RDB{1-3}.conv{1-5}.0`, ...; a bare dict.

    The last convolution is `model.10` at x4, and `model.4`, `model.7`, `model.13` at x1, x2 and x8.
    """

    layout = "old-arch"
    needs = ("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight")

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """To BasicSR's keys; every enlargement moves the two convolutions after it by three places."""
        last = [int(key.split(".")[1]) for key in state if re.fullmatch(r"model\.\d{1,2}\.weight", key)]
        enlargements = max((max(last, default=0) - 4) // 3, 0)
        body = (
            (r"model\.0\.", "conv_first."),
            (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."),
            (r"model\.1\.sub\.(\d+)\.(?=weight|bias)", "conv_body."),
        )
        places = _old_places(enlargements)
        return renamed(state, (*body, *((rf"model\.{place}\.", f"{name}.") for name, place in places.items())))

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """To the old architecture's keys; the convolution after the blocks is numbered after them."""
        blocks = count(state, r"body\.(\d+)\.rdb1\.conv1\.weight")
        back = (
            (r"conv_first\.", "model.0."),
            (r"body\.(\d+)\.rdb(\d)\.conv(\d)\.", r"model.1.sub.\1.RDB\2.conv\3.0."),
            (r"conv_body\.", f"model.1.sub.{blocks}."),
        )
        places = _old_places(count(state, r"conv_up(\d)\.weight", start=1))
        return renamed(state, (*back, *((rf"{name}\.", f"model.{place}.") for name, place in places.items())))


def _old_places(enlargements: int) -> dict[str, int]:
    """Where the old architecture has the convolutions after the blocks: activations are counted too."""
    ups = {f"conv_up{number}": 3 * number for number in range(1, enlargements + 1)}
    return {**ups, "conv_hr": 3 * enlargements + 2, "conv_last": 3 * enlargements + 4}


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

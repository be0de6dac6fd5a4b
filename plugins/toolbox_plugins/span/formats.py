"""The layout of SPAN's weight files, with the branches that training has, and its ncnn graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from toolbox import CheckpointFormat, State
from toolbox.contracts.checkpoint_format import root, shape
from toolbox.contracts.ncnn_graph import NcnnGraph

from .generator import BLOCKS, mean_of

BRANCHED = ("conv_1", *(f"block_{i}.c{j}_r" for i in range(1, BLOCKS + 1) for j in (1, 2, 3)), "conv_2")
"""The convolutions that training has as branches, in the order in which they run."""
PLAIN = {"conv_cat": "conv_cat", "upsampler": "upsampler.0"}
GAIN = 2
"""How much wider the authors' branches are between their 1x1 convolutions."""


class SPANOfficial(CheckpointFormat):
    """The authors': each convolution as `sk` (1x1) beside `conv.0` to `conv.2` (1x1, 3x3, 1x1), or folded, `eval_conv`.

    A file with both is folded anew, since `eval_conv` may be older. Files of trainers
    that leave the mean out have a key `no_norm`.
    """

    network = "SPAN"
    layout = "basicsr"
    wrapper = "params"
    needs = ("conv_1.eval_conv.weight", "block_1.c1_r.eval_conv.weight", "conv_cat.weight", "upsampler.0.weight")

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """From the first and the last convolution; a network that changes the number of channels is not published."""
        width, channels = shape(state, "conv_1.eval_conv.weight")[:2]
        scale = root(shape(state, "upsampler.0.weight")[0], channels, "upsampler.0.weight")
        centred = "no_norm" not in state
        return {"in_channels": channels, "out_channels": channels, "width": width, "scale": scale, "centred": centred}

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """Branches folded into one convolution each."""
        found = without_mean(state)
        for own in BRANCHED:
            weight, bias = folded(state, own)
            found |= {f"{own}.weight": weight, f"{own}.bias": bias}
        for own, theirs in PLAIN.items():
            found |= {f"{own}.{kind}": state[f"{theirs}.{kind}"] for kind in ("weight", "bias")}
        return found

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """Branches that fold into the network's convolutions, so that the authors' code and spandrel read the file."""
        found = without_mean(state)
        for own in BRANCHED:
            found |= unfolded(state[f"{own}.weight"], state[f"{own}.bias"], own)
        for own, theirs in PLAIN.items():
            found |= {f"{theirs}.{kind}": state[f"{own}.{kind}"] for kind in ("weight", "bias")}
        return found

    def from_ncnn(self, graph: NcnnGraph) -> State | None:
        """The folded network, with the mean as a constant."""
        names = [*(f"{own}.eval_conv" for own in BRANCHED), *PLAIN.values()]
        if len(graph.convolutions) != len(names) or len(graph.constants) > 1:
            return None
        channels = graph.convolutions[0][0].shape[1]
        if graph.constants and not is_mean(graph.constants[0], channels):
            return None
        scale = round((len(graph.convolutions[-1][0]) / channels) ** 0.5)
        if graph.output != expected(graph, scale):
            return None
        state: State = {} if graph.constants else {"no_norm": torch.zeros(1)}
        for name, (weight, bias) in zip(names, graph.convolutions, strict=True):
            state |= {f"{name}.weight": weight, f"{name}.bias": bias}
        return state


def is_mean(values: Tensor, channels: int) -> bool:
    """Whether a constant is the mean that is subtracted from so many channels."""
    return len(values) == channels and torch.allclose(values, values.new_tensor(mean_of(channels)), atol=1e-3)


def without_mean(state: Mapping[str, Tensor]) -> State:
    """The mark of a network that subtracts no mean, where it has one."""
    return {"no_norm": state["no_norm"]} if "no_norm" in state else {}


def folded(state: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    """Weight (out, in, 3, 3) and bias of one convolution: a chain of linear maps is one, and so is a sum of two."""
    if f"{name}.sk.weight" not in state:
        return state[f"{name}.eval_conv.weight"], state[f"{name}.eval_conv.bias"]
    skip, skip_bias = state[f"{name}.sk.weight"].double(), state[f"{name}.sk.bias"].double()
    (widen, widen_bias), (middle, middle_bias), (narrow, narrow_bias) = (
        (state[f"{name}.conv.{i}.weight"].double(), state[f"{name}.conv.{i}.bias"].double()) for i in range(3)
    )
    narrow = narrow[:, :, 0, 0]
    weight = torch.einsum("om,mnhw,nc->ochw", narrow, middle, widen[:, :, 0, 0])
    weight[:, :, 1, 1] += skip[:, :, 0, 0]
    bias = narrow @ (middle_bias + middle.sum((2, 3)) @ widen_bias) + narrow_bias + skip_bias
    return weight.float().contiguous(), bias.float()


def unfolded(weight: Tensor, bias: Tensor, name: str) -> State:
    """Branches of one convolution: nothing beside it, and before and after it channels as they are."""
    out, width = weight.shape[:2]
    middle = weight.new_zeros(GAIN * out, GAIN * width, 3, 3)
    middle[:out, :width] = weight
    tensors = {
        "sk": (weight.new_zeros(out, width, 1, 1), torch.zeros_like(bias)),
        "conv.0": (identity(weight, GAIN * width, width), weight.new_zeros(GAIN * width)),
        "conv.1": (middle, weight.new_zeros(GAIN * out)),
        "conv.2": (identity(weight, out, GAIN * out), bias.clone()),
        "eval_conv": (weight.clone(), bias.clone()),
    }
    return {
        f"{name}.{key}.{kind}": value
        for key, pair in tensors.items()
        for kind, value in zip(("weight", "bias"), pair, strict=True)
    }


def identity(like: Tensor, out: int, width: int) -> Tensor:
    """A 1x1 convolution (out, width, 1, 1) that passes the channels that both sides have."""
    return torch.eye(out, width, dtype=like.dtype, device=like.device)[:, :, None, None]


def expected(graph: NcnnGraph, scale: int) -> int:
    """The node that SPAN's graph ends with."""
    numbers = iter(range(len(graph.convolutions)))

    def conv(node: int) -> int:
        return graph.node("conv", next(numbers), node)

    node = graph.input
    if graph.constants:
        node = graph.node("times", 255, graph.add((node, 1.0), (graph.node("constant", 0), -1.0)))
    first = node = conv(node)
    kept, inner = first, first
    for number in range(1, BLOCKS + 1):
        inner = graph.node("swish", 0, conv(node))
        found = conv(graph.node("swish", 0, conv(inner)))
        weighed = graph.node("minus", 0.5, graph.node("sigmoid", 0, found))
        node = graph.product(graph.add((found, 1.0), (node, 1.0)), weighed)
        kept = node if number == 1 else kept
    fused = conv(graph.concat([first, conv(node), kept, inner]))
    return graph.node("shuffle", scale, conv(fused))

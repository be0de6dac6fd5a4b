"""An output of a trained network as a graph: with its padding, its range and what can be chosen, for other runtimes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from toolbox.assembly.loading import TrainedOutput
from toolbox.contracts.graph import Graph, GraphInput, smooth
from toolbox.contracts.output import Condition
from toolbox.io.errors import UserError, did_you_mean

LAYOUTS = ("nchw_float", "nhwc_uint8")
"""Images (B, C, H, W) float32 in [0, 1], or bytes (B, H, W, C)."""
SIDE = 64
"""Pixels of an example's side at least."""


class OutputGraph(Graph):
    """An output of an algorithm, or a network alone, whose conditions are inputs; those already chosen are constants.

    Args:
        network: a `TrainedOutput`, or a generator.
        channels: of its images, with those of masks.
        layout: one of `LAYOUTS`.
        batch: images of the examples.
        size: height and width of the examples, rounded up to what the network takes.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        channels: int = 3,
        layout: str = LAYOUTS[0],
        batch: int = 2,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        if layout not in LAYOUTS:
            raise UserError(f"--layout {layout}: is unknown{did_you_mean(layout, LAYOUTS)}")
        self.network, self.bytes, self.metadata = network, layout == "nhwc_uint8", {}
        self.scale, self.multiple = int(getattr(network, "scale", 1)), int(getattr(network, "multiple", 1))
        self.output = network.output if isinstance(network, TrainedOutput) else "images_out"
        self.free = conditions(network)
        self.inputs = [self._images(channels, batch, size), *(_chosen(each, batch) for each in self.free)]

    def _images(self, channels: int, batch: int, size: tuple[int, int] | None) -> GraphInput:
        if self.bytes and getattr(self.network, "clip", False):
            raise UserError("--layout nhwc_uint8: is for pictures, and this network takes clips; leave it out")
        least = max(SIDE, 2 * self.multiple)  # the longer side is no multiple of it, so that padding is in the graph
        height, width = size or (least, least + self.multiple // 2 + 8)
        shape = (batch, height, width, channels) if self.bytes else (batch, channels, height, width)
        example = smooth(shape, torch.Generator().manual_seed(0), channels_last=self.bytes)
        return GraphInput(
            "images", (example * 255).round().to(torch.uint8) if self.bytes else example,
            (0, 1, 2) if self.bytes else (0, 2, 3), "image",
        )  # fmt: skip

    def forward(self, images: Tensor, *chosen: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1], or bytes (B, H, W, C), to the same, `scale` times as large."""
        if self.bytes:
            images = images.permute(0, 3, 1, 2).to(torch.float32) / 255
        height, width = images.shape[-2:]
        given = {each.name: value for each, value in zip(self.free, chosen, strict=True)}
        made = generated(self.network, completed(images, self.multiple), given)
        if self.multiple > 1:  # a slice would ask whether there is anything to cut
            for dim, side in ((-2, height), (-1, width)):
                made = made.index_select(dim, torch.arange(side * self.scale, device=made.device))
        made = made.float().clamp(0, 1)
        return (made * 255).round().to(torch.uint8).permute(0, 2, 3, 1) if self.bytes else made


class StateGraph(Graph):
    """A trained output whose conditions are all chosen: what is measured over a whole picture is what its tiles take.

    Args:
        state: as `TrainedOutput.state` gives it; its tensors are inputs where the output surveys whole pictures.
    """

    def __init__(self, network: nn.Module, images: Tensor, state: Any = None) -> None:
        super().__init__()
        self.network, self.output, self.metadata = network, "images_out", {}
        surveys = isinstance(network, TrainedOutput) and network.algorithm.surveys()
        leaves, self.tree = pytree.tree_flatten(state)
        self.free = [surveys and isinstance(each, Tensor) for each in leaves]
        self.fixed = [None if free else each for free, each in zip(self.free, leaves, strict=True)]
        inputs = [GraphInput("images", images, (0, 2, 3), "image")]
        states = [GraphInput(f"state_{n}", each, (), "state") for n, each in enumerate(self.values(state))]
        self.inputs = [*inputs, *states]

    def values(self, state: Any) -> list[Tensor]:
        """The tensors of a state that are inputs."""
        return [each for free, each in zip(self.free, pytree.tree_leaves(state), strict=True) if free]

    def forward(self, images: Tensor, *free: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1], of sizes that the network takes, to (B, C', scale*H, scale*W)."""
        if not isinstance(self.network, TrainedOutput):
            return self.network(images)
        coming = iter(free)
        leaves = [next(coming) if is_free else each for is_free, each in zip(self.free, self.fixed, strict=True)]
        state = pytree.tree_unflatten(leaves, self.tree)
        return self.network.generated(images, state).float().clamp(0, 1)


def conditions(network: nn.Module) -> list[Condition]:
    """What is left to choose of a network: all but seeds, which are fixed in a file."""
    if not isinstance(network, TrainedOutput):
        return []
    every = network.algorithm.outputs[network.output].conditions
    return [each for each in every if each.kind != "seed" and each.name not in network.chosen]


def generated(network: nn.Module, images: Tensor, given: Mapping[str, Tensor]) -> Tensor:
    """What a network makes of images of sizes that suit it, with conditions (B, ...)."""
    if not isinstance(network, TrainedOutput):
        return network(images)
    asked = network.algorithm.outputs[network.output]
    return network.generated(
        images, network.algorithm.condition(network.output, asked.chosen({**network.chosen, **given}))
    )


def completed(images: Tensor, multiple: int) -> Tensor:
    """Images (..., H, W) of any size continued to multiples, mirrored without their edge: without a branch on sizes."""
    for dim in (-2, -1) if multiple > 1 else ():
        length = images.shape[dim]
        place = torch.arange((length + multiple - 1) // multiple * multiple, device=images.device)
        period = torch.full((), torch.sym_max(2 * length - 2, 1), device=images.device)
        place = place % period
        images = images.index_select(dim, torch.minimum(place, period - place))
    return images


def _chosen(condition: Condition, batch: int) -> GraphInput:
    """An input for a condition, one value for each image."""
    if condition.kind == "picture":
        example = torch.rand(batch, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
        return GraphInput(condition.name, example, (0, 2, 3), condition.kind)
    if condition.kind == "mixture":
        shares = torch.full((batch, _count(condition)), 1 / _count(condition))
        return GraphInput(condition.name, shares, (0,), condition.kind)
    if condition.kind == "label":
        return GraphInput(
            condition.name, torch.zeros(batch, dtype=torch.int64), (0,), condition.kind, high=_count(condition)
        )
    middle = (condition.low + condition.high) / 2
    example = torch.full((batch,), middle)
    return GraphInput(condition.name, example, (0,), condition.kind, condition.low, condition.high)


def _count(condition: Condition) -> int:
    return condition.labels if isinstance(condition.labels, int) else len(condition.labels)


def described_conditions(network: nn.Module) -> list[dict[str, Any]]:
    """The conditions of a graph's inputs as plain values, from which `Condition` is built again."""
    made = []
    for each in conditions(network):
        labels = each.labels if isinstance(each.labels, int) else [str(label) for label in each.labels]
        made.append(
            {"name": each.name, "kind": each.kind, "default": each.default, "low": each.low, "high": each.high,
             "labels": labels}
        )  # fmt: skip
    return made


def as_metadata(described: Mapping[str, Any]) -> dict[str, str]:
    """A file's own description: the keys that tilers read one by one, and all of them as JSON."""
    plain = ("scale", "multiple", "reach", "channels", "range", "output", "kind", "license")
    one_by_one = {key: str(described[key]) for key in plain if described.get(key) is not None}
    return {**one_by_one, "gan_toolbox": json.dumps(described, sort_keys=True)}

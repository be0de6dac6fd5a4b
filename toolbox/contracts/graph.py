"""A trained network as one function of tensors: what is exported, and what other runtimes compute."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from toolbox.io.errors import UserError

if TYPE_CHECKING:
    from torch.export import ExportedProgram


@dataclass(frozen=True)
class GraphInput:
    """One input of a graph.

    Args:
        name: what runtimes call it: that of a source or a condition.
        example: a tensor of its type and number of dimensions.
        free: dimensions that may have any length; the first is the batch's, the same for all inputs.
        kind: `image`, or as of `Condition`: `number`, `label`, `mixture`, `picture`; `state` is anything else.
        low, high: the range of a number; labels are below `high`.
    """

    name: str
    example: Tensor
    free: tuple[int, ...]
    kind: str
    low: float = 0.0
    high: float = 1.0

    def drawn(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> Tensor:
        """Another tensor of this kind, at random; `size` is of images."""
        shape = list(self.example.shape)
        if self.free:
            shape[0] = batch
        if self.kind in ("image", "picture"):
            for axis, side in zip([axis for axis in self.free if axis], size, strict=True):
                shape[axis] = side
            made = smooth(shape, rng, channels_last=self.example.dtype == torch.uint8)
            return (made * 255).round().to(torch.uint8) if self.example.dtype == torch.uint8 else made
        if self.kind == "label":
            return torch.randint(max(1, int(self.high)), shape, generator=rng)
        values = torch.rand(shape, generator=rng)
        if self.kind == "mixture":
            return values / values.sum(1, keepdim=True)
        return self.low + (self.high - self.low) * values if self.kind != "state" else self.example


def smooth(shape: Sequence[int], rng: torch.Generator, *, channels_last: bool = False) -> Tensor:
    """Images in [0, 1] with soft areas, edges and a little noise, as photographs have.

    Of white noise, which no network has seen, the rounding of float32 alone makes one percent in some.
    """
    batch, channels, height, width = (shape[0], shape[3], shape[1], shape[2]) if channels_last else shape
    coarse = torch.rand(batch, channels, max(2, height // 8), max(2, width // 8), generator=rng)
    soft = interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    edges = (soft.mean(1, keepdim=True) > 0.5) * 0.2
    made = (0.7 * soft + edges + 0.02 * torch.randn(soft.shape, generator=rng)).clamp(0, 1)
    return made.permute(0, 2, 3, 1).contiguous() if channels_last else made


class Graph(nn.Module):
    """A function of tensors without branches on their values: `forward(*inputs) -> images`.

    Images are (B, C, H, W) in [0, 1] of any size; those that come out are clamped to it. With the layout `nhwc_uint8`
    both are bytes (B, H, W, C).
    """

    inputs: Sequence[GraphInput]
    output: str
    """The name of what comes out."""
    metadata: Mapping[str, str]
    """What a file says of itself."""

    @property
    def examples(self) -> tuple[Tensor, ...]:
        """A tensor for each input."""
        return tuple(each.example for each in self.inputs)

    def program(self, *, fixed: bool = False) -> ExportedProgram:
        """The graph as torch.export sees it, with the free dimensions of its inputs free, or with all `fixed`.

        Where a network counts its batch (`len(images)`), the batch is fixed at one, and `inputs` say so from then on.

        Raises:
            UserError: the network cannot be told in a graph; the message says where.
        """
        try:
            return self._traced(fixed)
        except Exception as first:  # torch.export raises nearly anything
            if fixed or not any(0 in each.free for each in self.inputs):
                raise UserError(_one_line(first)) from first
            before = self.inputs
            self.inputs = [
                replace(each, example=each.example[:1], free=tuple(axis for axis in each.free if axis))
                if 0 in each.free
                else each
                for each in before
            ]
            try:
                return self._traced(fixed)
            except Exception:
                self.inputs = before
                raise UserError(_one_line(first)) from first

    def _traced(self, fixed: bool) -> ExportedProgram:
        free = torch.export.Dim.DYNAMIC
        shapes = iter([{axis: free for axis in each.free} for each in self.inputs])
        bound = inspect.signature(self.forward).bind(*self.examples).arguments
        dynamic = {
            name: tuple(next(shapes) for _ in value) if isinstance(value, tuple) else next(shapes)
            for name, value in bound.items()
        }
        with torch.no_grad(), quiet():
            return torch.export.export(self, self.examples, dynamic_shapes=None if fixed else dynamic, strict=False)


class Session(Protocol):
    """A graph that a runtime has loaded: `session(tensors) -> images`, tensors in the order of its `names`."""

    names: Sequence[str]
    """Of the inputs; those that the graph has and does not use may be missing."""
    metadata: Mapping[str, str]
    """What the file says of itself."""

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        """Compute on the CPU; tensors are contiguous, and of the inputs' types."""
        ...


def asked(session: Session, inputs: Sequence[GraphInput], tensors: Sequence[Tensor]) -> list[Tensor]:
    """Of tensors for a graph's inputs, those that a session takes, contiguous and in its order."""
    by_name = {each.name: tensor for each, tensor in zip(inputs, tensors, strict=True)}
    return [by_name[name].contiguous() for name in session.names]


def missing(packages: Sequence[str], extra: str) -> str | None:
    """What to install for packages to be there, which are not imported; None where nothing is missing."""
    absent = [name for name in packages if find_spec(name) is None]
    return f"needs {absent[0]}: pip install 'gan-toolbox[{extra}]'" if absent else None


@contextmanager
def quiet() -> Iterator[None]:
    """Within, nothing is logged or warned of: converters tell dozens of lines, and raise what matters besides."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

"""Whether an exported file computes what PyTorch does, and which layer is the first that does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.contracts.exporter import Exporter
from toolbox.contracts.graph import Graph, GraphInput, Session, asked
from toolbox.io.errors import UserError

LEVEL = 1.001 / 255
"""What bytes may differ by: one level."""


@dataclass(frozen=True)
class Trial:
    """One comparison: the shape of the images, and the largest difference, of values in [0, 1]."""

    shape: tuple[int, ...]
    difference: float


def verify(graph: Graph, exporter: Exporter, file: Path) -> list[Trial]:
    """Compare a file with its graph at three sizes, odd ones, with batches of one and two, where those are free.

    Raises:
        UserError: the runtime does not load or compute it.
    """
    session = exporter.open(file)
    trials = []
    for number, (batch, size) in enumerate(_trials(graph, exporter)):
        rng = torch.Generator().manual_seed(number)
        tensors = [each.drawn(batch, size, rng) for each in graph.inputs]
        trials.append(Trial(tuple(tensors[0].shape), difference(graph, session, tensors)))
    return trials


def difference(graph: Graph, session: Session, tensors: Sequence[Tensor]) -> float:
    """The largest difference of a session's result from PyTorch's, infinite where it is NaN or of another shape."""
    with torch.no_grad():
        wanted = graph(*tensors)
        given = session(asked(session, graph.inputs, tensors)).detach()
    if given.shape != wanted.shape or not bool(torch.isfinite(given.float()).all()):
        return float("inf")
    scale = 255 if wanted.dtype == torch.uint8 else 1
    return float((given.double() - wanted.double()).abs().max()) / scale


def allowed(graph: Graph, exporter: Exporter, *, half: bool) -> float:
    """The largest difference that passes."""
    tolerance = exporter.half_tolerance if half else exporter.tolerance
    return max(tolerance, LEVEL) if graph.inputs[0].example.dtype == torch.uint8 else tolerance


def first_broken_layer(graph: Graph, exporter: Exporter, *, tolerance: float) -> str | None:
    """The first layer, in the order of computing, that the format computes otherwise; None where none can be told.

    Each try exports the graph up to one layer; as what comes after a broken one is broken, halving finds it.
    """
    layers = _layers(graph)
    low, high = 0, len(layers)
    while low < high:
        middle = (low + high) // 2
        if _breaks(Until(graph, layers[middle]), exporter, tolerance):
            high = middle
        else:
            low = middle + 1
    return layers[low] if low < len(layers) else None


class Until(Graph):
    """A graph up to one of its layers, whose output it gives."""

    def __init__(self, graph: Graph, layer: str) -> None:
        super().__init__()
        self.whole, self.layer = graph, layer
        self.inputs, self.output, self.metadata = graph.inputs, "activations", {}

    def forward(self, *tensors: Tensor) -> Tensor:
        """The layer's last output, float32."""
        found: list[Tensor] = []
        handle = self.whole.get_submodule(self.layer).register_forward_hook(lambda *seen: found.append(seen[-1]))
        try:
            self.whole(*tensors)
        finally:
            handle.remove()
        return found[-1].float()


def _layers(graph: Graph) -> list[str]:
    """The innermost modules that give one tensor, in the order of computing."""
    found: dict[str, None] = {}
    handles = []
    for name, module in graph.named_modules():
        if name and not any(module.children()):

            def note(_module: nn.Module, _inputs: Any, made: Any, name: str = name) -> None:
                if isinstance(made, Tensor):
                    found[name] = None

            handles.append(module.register_forward_hook(note))
    try:
        with torch.no_grad():
            graph(*graph.examples)
    finally:
        for handle in handles:
            handle.remove()
    return list(found)


def _breaks(graph: Until, exporter: Exporter, tolerance: float) -> bool:
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"until{exporter.suffix}"
        try:
            exporter.write(graph, file)
            session = exporter.open(file)
            with torch.no_grad():
                largest = float(graph(*graph.examples).abs().max())
            return difference(graph, session, graph.examples) > tolerance * max(1.0, largest)
        except UserError:  # the part cannot be exported by itself: nothing is known of it
            return False


def _trials(graph: Graph, exporter: Exporter) -> list[tuple[int, tuple[int, int]]]:
    first: GraphInput = graph.inputs[0]
    axes = [axis for axis in first.free if axis]
    height, width = (first.example.shape[axis] for axis in axes)
    batches = (2, 1, 1) if exporter.any_batch and 0 in first.free else (first.example.shape[0],) * 3
    if not exporter.any_size:
        return [(batch, (height, width)) for batch in batches[: 2 if exporter.any_batch else 1]]
    sizes = ((height, width), (height + 13, width - 7), (height // 2 + 5, height + 1))
    return list(zip(batches, sizes, strict=True))

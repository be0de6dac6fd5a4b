"""Graphs as ExecuTorch's `.pte`, computed by XNNPACK on any processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolbox import Exporter, Graph, Session, UserError
from toolbox.contracts.graph import quiet
from toolbox.io.files import whole

from .folding import folded

aten: Any = torch.ops.aten
METHOD = "forward"
INPUTS = "inputs"
"""The method that gives the inputs' names, separated by blanks, in their order."""


class ExecuTorch(Exporter):
    """ExecuTorch's program with XNNPACK's delegate, of one size and one image; verified in ExecuTorch's own runtime.

    Sizes are fixed, as memory is planned before: a program of a free size computes up to its largest alone, and
    networks that make tensors of the images' size fail in the runtime. Metadata are methods of the
    program that take nothing and give a text.
    """

    suffix = ".pte"
    packages = ("executorch",)
    extra = "executorch"
    any_size = False
    any_batch = False

    def write(self, graph: Graph, target: Path, *, half: bool = False) -> None:
        """Write the program in one file, weights included."""
        exir: Any = import_module("executorch.exir")
        xnnpack: Any = import_module("executorch.backends.xnnpack.partition.xnnpack_partitioner")
        module = folded(graph, {aten.group_norm.default: normalised_in_groups})
        texts = {**graph.metadata, INPUTS: " ".join(each.name for each in graph.inputs)}
        with quiet(), torch.no_grad():
            try:
                program = torch.export.export(module, graph.examples, strict=False)
                edge = exir.to_edge_transform_and_lower(
                    program, partitioner=[xnnpack.XnnpackPartitioner()], constant_methods=texts
                )
                content = edge.to_executorch().buffer
            except Exception as error:  # it raises nearly anything
                raise UserError(f"ExecuTorch cannot hold it ({_reason(error)})") from error
        with whole(target) as file:
            file.write(content)

    def open(self, file: Path) -> Session:
        """By ExecuTorch's runtime for Python."""
        return _Session(file)


def normalised_in_groups(
    features: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5, *_: Any
) -> Tensor:
    """Group norm of features (B, C, H, W) in plain arithmetic: ExecuTorch 1.5.1's own gave others, by 0.007."""
    parts = features.reshape(features.shape[0], groups, -1)
    parts = parts - parts.mean(2, keepdim=True)
    made = (parts * (parts.square().mean(2, keepdim=True) + eps).rsqrt()).reshape(features.shape)
    made = made if weight is None else made * weight.reshape(1, -1, 1, 1)
    return made if bias is None else made + bias.reshape(1, -1, 1, 1)


class _Session:
    def __init__(self, file: Path) -> None:
        runtime: Any = import_module("executorch.runtime")
        try:
            self.program = runtime.Runtime.get().load_program(file)
            self.method = self.program.load_method(METHOD)
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{file}: ExecuTorch cannot load it ({_reason(error)})") from None
        texts = sorted(self.program.method_names - {METHOD})
        said = {name: str(self.program.load_method(name).execute([])[0]) for name in texts}
        self.names: Sequence[str] = said.pop(INPUTS).split()
        self.metadata: Mapping[str, str] = said

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        try:
            return self.method.execute(list(tensors))[0].clone()
        except RuntimeError as error:
            raise UserError(f"ExecuTorch cannot compute it ({_reason(error)})") from None


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__

"""Graphs as `.pt2`, which PyTorch loads without this toolbox, compiles ahead of time, and lowers to other devices."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolbox import Exporter, Graph, Session, UserError
from toolbox.contracts.graph import quiet
from toolbox.io.files import whole

INPUTS = "inputs"
"""The extra file of the inputs' names, in their order, as JSON; torch calls them otherwise."""
METADATA = "metadata"
"""The extra file of the metadata, as JSON."""
KEPT = ("val", "tensor_meta")
"""What nodes keep; the rest is where in the source each came from: paths of this machine, half of a small file."""


class TorchProgram(Exporter):
    """A program of `torch.export`, with any batch, height and width; verified in PyTorch, from the file.

    `torch.export.load(file).module()` is the function; metadata are in the extra file `metadata`.
    """

    suffix = ".pt2"

    def write(self, graph: Graph, target: Path, *, half: bool = False) -> None:
        """Write the program in one file, weights included."""
        program = graph.program()
        _forget_the_maker(program)
        extra = {
            METADATA: json.dumps(dict(graph.metadata), sort_keys=True),
            INPUTS: json.dumps([each.name for each in graph.inputs]),
        }
        try:
            with whole(target) as file, quiet():
                torch.export.save(program, file, extra_files=extra)
        except OSError:
            raise
        except Exception as error:  # it raises nearly anything
            raise UserError(f"torch cannot store it ({' '.join(str(error).split())[:160]})") from error

    def open(self, file: Path) -> Session:
        """By `torch.export.load`, which evaluates expressions that it finds in a file.

        So this is for a file that `write` has just made, and never for one of somebody else: loading it could run
        anything.
        """
        return _Session(file)


class _Session:
    def __init__(self, file: Path) -> None:
        extra: dict[str, Any] = {METADATA: "", INPUTS: ""}
        with quiet():
            self.module = torch.export.load(file, extra_files=extra).module()
        self.names: Sequence[str] = json.loads(extra[INPUTS])
        self.metadata: Mapping[str, str] = json.loads(extra[METADATA])

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        with torch.no_grad():
            return self.module(*tensors)


def _forget_the_maker(program: torch.export.ExportedProgram) -> None:
    """Leave out stack traces and the examples, which are images of some size."""
    program.example_inputs = None
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta = {key: value for key, value in node.meta.items() if key in KEPT}

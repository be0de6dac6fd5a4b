"""onnxruntime on the CPU."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolbox import Backend, Graph, Session, UserError

from .conversion import PACKAGES, kept_onnx
from .safety import refuse_hostile

QUIET = 4
"""Of onnxruntime's log: what is fatal alone."""


class OnnxRuntime(Backend):
    """Microsoft's runtime, in float32 on the CPU, with as many threads as torch."""

    packages = PACKAGES
    extra = "onnx"
    suffixes = (".onnx",)

    def prepare(self, graph: Graph, folder: Path, *, precision: str = "fp32") -> Session:
        """By an ONNX file in the folder."""
        return _Session(kept_onnx(graph, folder))

    def open(self, file: Path, *, precision: str = "fp32") -> Session:
        """Load an ONNX file, whoever made it."""
        refuse_hostile(file)
        return _Session(file)


class _Session:
    def __init__(self, file: Path) -> None:
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it would tell Microsoft of each use
        import onnxruntime

        onnxruntime.disable_telemetry_events()  # on Windows it has a way that heeds no variable
        options: Any = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = torch.get_num_threads(), QUIET
        try:
            self.session: Any = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own classes, one for each kind of damage
            raise UserError(f"{file}: onnxruntime cannot load it ({reason(error)})") from None
        self.names: Sequence[str] = [each.name for each in self.session.get_inputs()]
        self.metadata: Mapping[str, str] = self.session.get_modelmeta().custom_metadata_map

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        given = {name: each.detach().numpy() for name, each in zip(self.names, tensors, strict=True)}
        try:
            return torch.from_numpy(self.session.run(None, given)[0])
        except Exception as error:
            if "bad_alloc" in str(error) or "Failed to allocate" in str(error):
                raise MemoryError(reason(error)) from None
            raise ValueError(f"onnxruntime: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """What onnxruntime says, without its codes."""
    return " ".join(str(error).rpartition(" : ")[2].split())[:160]

"""Graphs as ONNX files."""

from __future__ import annotations

from pathlib import Path

from toolbox import Exporter, Graph, Session

from .backend import OnnxRuntime
from .conversion import PACKAGES, write_onnx


class ONNX(Exporter):
    """ONNX of opset 20, with any batch, height and width; verified in onnxruntime."""

    suffix = ".onnx"
    packages = PACKAGES
    extra = "onnx"
    halves = True

    def write(self, graph: Graph, target: Path, *, half: bool = False) -> None:
        """Write the graph in one file, weights included."""
        write_onnx(graph, target, half=half)

    def open(self, file: Path) -> Session:
        """By onnxruntime."""
        return OnnxRuntime().open(file)

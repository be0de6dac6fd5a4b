"""ONNX files, and onnxruntime, which computes them."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_exporters(register: Register) -> None:
    """`export --format onnx`."""
    from .exporter import ONNX

    register("onnx", ONNX)


@hookimpl
def register_backends(register: Register) -> None:
    """`infer --backend onnxruntime`."""
    from .backend import OnnxRuntime

    register("onnxruntime", OnnxRuntime)

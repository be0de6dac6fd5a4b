"""PyTorch's own files of exported programs."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_exporters(register: Register) -> None:
    """`export --format torch`."""
    from .exporter import TorchProgram

    register("torch", TorchProgram)

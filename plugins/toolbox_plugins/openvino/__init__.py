"""OpenVINO: its files, and the runtime, which is the fastest on most CPUs."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_exporters(register: Register) -> None:
    """`export --format openvino`."""
    from .exporter import OpenVINOFile

    register("openvino", OpenVINOFile)


@hookimpl
def register_backends(register: Register) -> None:
    """`infer --backend openvino`."""
    from .backend import OpenVINO

    register("openvino", OpenVINO)

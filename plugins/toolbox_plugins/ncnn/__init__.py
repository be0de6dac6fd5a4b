"""ncnn: files for telephones and for graphics cards of any maker, by Vulkan."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_exporters(register: Register) -> None:
    """`export --format ncnn`."""
    from .exporter import NCNN

    register("ncnn", NCNN)

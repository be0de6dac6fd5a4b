"""TensorFlow Lite's files, which LiteRT computes on telephones, in browsers and elsewhere."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_exporters(register: Register) -> None:
    """`export --format tensorflow`."""
    from .exporter import TensorFlow

    register("tensorflow", TensorFlow)

"""ExecuTorch: files for telephones and small computers."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_exporters(register: Register) -> None:
    """`export --format executorch`."""
    from .exporter import ExecuTorch

    register("executorch", ExecuTorch)

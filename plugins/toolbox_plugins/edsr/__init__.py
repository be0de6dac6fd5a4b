"""EDSR (Lim et al., 2017): SRResNet's blocks without batch norm, wider and deeper."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_generators(register: Register) -> None:
    from .edsr import EDSR

    register("EDSR", EDSR)

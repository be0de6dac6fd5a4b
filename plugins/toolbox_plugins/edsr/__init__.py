"""EDSR (Lim et al., 2017): SRResNet's blocks without batch norm, wider and deeper."""

from __future__ import annotations

from toolbox import hookimpl
from toolbox.hookspecs import Register


@hookimpl
def register_generators(register: Register) -> None:
    from .edsr import EDSR

    register("EDSR", EDSR)

"""A U-Net that restores images at their own size: noise, blur, compression."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_generators(register: Register) -> None:
    from .restorer import UNetRestorer

    register("UNetRestorer", UNetRestorer)

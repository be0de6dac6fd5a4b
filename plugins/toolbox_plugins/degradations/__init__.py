"""Degradations: how the low-resolution input is made of the high-resolution image."""

from __future__ import annotations

from toolbox.hookspecs import Register, hookimpl


@hookimpl
def register_degradations(register: Register) -> None:
    from .bicubic import BicubicDegradation

    register("BicubicDegradation", BicubicDegradation)

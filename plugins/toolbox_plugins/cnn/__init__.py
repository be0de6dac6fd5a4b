"""A plain convolutional generator for any scale: small, quick to train, the first thing to try."""

from __future__ import annotations

from toolbox.hookspecs import Register, hookimpl


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import ResidualCNN

    register("ResidualCNN", ResidualCNN)

"""A plain convolutional generator for any scale: small, quick to train, the first thing to try."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import ResidualCNN

    register("ResidualCNN", ResidualCNN)


@hookimpl
def register_encoders(register: Register) -> None:
    from .coder import ResidualEncoder

    register("ResidualEncoder", ResidualEncoder)


@hookimpl
def register_decoders(register: Register) -> None:
    from .coder import ResidualDecoder

    register("ResidualDecoder", ResidualDecoder)

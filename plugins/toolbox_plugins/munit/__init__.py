"""MUNIT (Huang et al., 2018): unpaired translation in many styles, with codes of content and of style."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import MUNIT

    register("MUNIT", MUNIT)


@hookimpl
def register_encoders(register: Register) -> None:
    from .content_encoder import MUNITContentEncoder

    register("MUNITContentEncoder", MUNITContentEncoder)


@hookimpl
def register_style_encoders(register: Register) -> None:
    from .style_encoder import MUNITStyleEncoder

    register("MUNITStyleEncoder", MUNITStyleEncoder)


@hookimpl
def register_decoders(register: Register) -> None:
    from .decoder import MUNITDecoder

    register("MUNITDecoder", MUNITDecoder)


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import MUNITGenerator

    register("MUNITGenerator", MUNITGenerator)


@hookimpl
def register_formats(register: Register) -> None:
    from .formats import MUNITOfficial

    register("MUNITOfficial", MUNITOfficial)

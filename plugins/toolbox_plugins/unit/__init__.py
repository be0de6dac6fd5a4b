"""UNIT (Liu et al., 2017): unpaired translation through a latent space that two domains share."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import UNIT

    register("UNIT", UNIT)


@hookimpl
def register_encoders(register: Register) -> None:
    from .encoder import UNITEncoder

    register("UNITEncoder", UNITEncoder)


@hookimpl
def register_decoders(register: Register) -> None:
    from .decoder import UNITDecoder

    register("UNITDecoder", UNITDecoder)


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import UNITGenerator

    register("UNITGenerator", UNITGenerator)


@hookimpl
def register_discriminators(register: Register) -> None:
    from .discriminator import MultiScaleDiscriminator

    register("MultiScaleDiscriminator", MultiScaleDiscriminator)


@hookimpl
def register_formats(register: Register) -> None:
    from .formats import UNITOfficial

    register("UNITOfficial", UNITOfficial)

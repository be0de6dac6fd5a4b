"""pix2pix (Isola et al., 2017): paired translation, judged together with its input."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import Pix2Pix

    register("Pix2Pix", Pix2Pix)


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import UnetGenerator

    register("UnetGenerator", UnetGenerator)


@hookimpl
def register_formats(register: Register) -> None:
    from .formats import UnetGeneratorOfficial

    register("UnetGeneratorOfficial", UnetGeneratorOfficial)

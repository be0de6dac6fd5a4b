"""AdaIN (Huang and Belongie, 2017): one network for the style of any picture, in any strength."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import AdaIN

    register("AdaIN", AdaIN)


@hookimpl
def register_decoders(register: Register) -> None:
    from .decoder import AdaINDecoder

    register("AdaINDecoder", AdaINDecoder)

"""Small photographs to large paintings in several styles, by one network that also just enlarges."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import PaintedSuperResolution

    register("PaintedSuperResolution", PaintedSuperResolution)


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import StyleSPAN

    register("StyleSPAN", StyleSPAN)

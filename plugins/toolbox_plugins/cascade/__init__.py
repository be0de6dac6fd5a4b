"""Networks applied one after the other, each trained by itself or all together."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import Cascade

    register("Cascade", Cascade)


@hookimpl
def register_generators(register: Register) -> None:
    from .bicubic import Bicubic

    register("Bicubic", Bicubic)

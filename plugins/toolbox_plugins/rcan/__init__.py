"""RCAN (Zhang et al., 2018): a deep residual network that weighs its channels, plain or on folded pixels."""

from toolbox import Register, hookimpl


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import RCAN

    register("RCAN", RCAN)


@hookimpl
def register_formats(register: Register) -> None:
    from .formats import RCANOfficial

    register("RCANOfficial", RCANOfficial)

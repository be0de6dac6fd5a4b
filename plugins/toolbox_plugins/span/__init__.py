"""SPAN, the Swift Parameter-free Attention Network (Wan et al., 2024): a small, fast network for super-resolution."""

from toolbox import Register, hookimpl


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import SPAN

    register("SPAN", SPAN)


@hookimpl
def register_formats(register: Register) -> None:
    from .formats import SPANOfficial

    register("SPANOfficial", SPANOfficial)

"""A painter of videos: small films to large painted ones, with a memory of what it painted before."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import PaintedVideo

    register("PaintedVideo", PaintedVideo)


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import RecurrentStyleSPAN

    register("RecurrentStyleSPAN", RecurrentStyleSPAN)

"""SPAN over a window of frames: an enlarger of the middle one that sees its neighbours."""

from toolbox import Register, hookimpl


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import TemporalSPAN

    register("TemporalSPAN", TemporalSPAN)

"""BasicVSR (Chan et al., 2021), forwards in time: an enlarger of videos that carries its features on."""

from toolbox import Register, hookimpl


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import ForwardVSR

    register("ForwardVSR", ForwardVSR)

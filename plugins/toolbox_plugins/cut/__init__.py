"""CUT and FastCUT (Park et al., 2020): one-sided unpaired translation by contrasting patches."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import CUT

    register("CUT", CUT)

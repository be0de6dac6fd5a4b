"""SANTA (Xie et al., 2023): unpaired translation along the shortest path between two domains."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import SANTA

    register("SANTA", SANTA)


@hookimpl
def register_losses(register: Register) -> None:
    from .loss import PathLengthLoss

    register("PathLengthLoss", PathLengthLoss)

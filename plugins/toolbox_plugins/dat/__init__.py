"""DAT (Chen et al., 2023): a transformer that attends to windows and to channels in turn, light by default."""

from toolbox import Register, hookimpl


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import DAT

    register("DAT", DAT)


@hookimpl
def register_formats(register: Register) -> None:
    from .formats import DATOfficial

    register("DATOfficial", DATOfficial)

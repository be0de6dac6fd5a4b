"""ESRGAN (Wang et al., 2018): SRGAN's training with a network of dense blocks, and a loss against artefacts."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import ESRGAN

    register("ESRGAN", ESRGAN)


@hookimpl
def register_generators(register: Register) -> None:
    from .rrdbnet import RRDBNet

    register("RRDBNet", RRDBNet)


@hookimpl
def register_formats(register: Register) -> None:
    from .formats import RRDBNetBasicSR, RRDBNetOldArch, RRDBNetXinntao

    register("RRDBNetBasicSR", RRDBNetBasicSR)
    register("RRDBNetXinntao", RRDBNetXinntao)
    register("RRDBNetOldArch", RRDBNetOldArch)

"""Inpainting with a whole and a local discriminator (Iizuka et al., 2017)."""

from toolbox import Register, hookimpl

toolbox_requires = ">=0.2"


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import Inpainting

    register("Inpainting", Inpainting)


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import DilatedFiller

    register("DilatedFiller", DilatedFiller)


@hookimpl
def register_datasets(register: Register) -> None:
    from .dataset import PicturesWithHoles

    register("PicturesWithHoles", PicturesWithHoles)

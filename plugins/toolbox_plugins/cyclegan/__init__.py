"""CycleGAN (Zhu et al., 2017): unpaired translation with cycle consistency."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import CycleGAN

    register("CycleGAN", CycleGAN)


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import ResnetGenerator

    register("ResnetGenerator", ResnetGenerator)


@hookimpl
def register_discriminators(register: Register) -> None:
    from .discriminator import PatchDiscriminator

    register("PatchDiscriminator", PatchDiscriminator)


@hookimpl
def register_formats(register: Register) -> None:
    from .discriminator_formats import PatchDiscriminatorOfficial
    from .formats import ResnetGeneratorOfficial, ResnetGeneratorVintagify

    register("ResnetGeneratorOfficial", ResnetGeneratorOfficial)
    register("ResnetGeneratorVintagify", ResnetGeneratorVintagify)
    register("PatchDiscriminatorOfficial", PatchDiscriminatorOfficial)

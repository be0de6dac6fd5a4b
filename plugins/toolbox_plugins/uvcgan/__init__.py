"""UVCGANv2 (Torbunov et al., 2023): CycleGAN with a U-Net around a transformer, and a critic that compares samples."""

from toolbox import Register, hookimpl


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import UVCGANGenerator

    register("UVCGANGenerator", UVCGANGenerator)


@hookimpl
def register_discriminators(register: Register) -> None:
    from .discriminator import BatchHeadDiscriminator

    register("BatchHeadDiscriminator", BatchHeadDiscriminator)

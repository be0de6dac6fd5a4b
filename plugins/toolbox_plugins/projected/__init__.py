"""Projected GAN (Sauer et al., 2021): discriminators that look at the features of a frozen network."""

from toolbox import Register, hookimpl


@hookimpl
def register_discriminators(register: Register) -> None:
    from .discriminator import ProjectedDiscriminator

    register("ProjectedDiscriminator", ProjectedDiscriminator)

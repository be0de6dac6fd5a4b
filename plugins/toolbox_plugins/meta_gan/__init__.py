"""MetaGAN (umzi, 2025): a discriminator of gated convolutional blocks, which gives one verdict on each image."""

from toolbox import Register, hookimpl


@hookimpl
def register_discriminators(register: Register) -> None:
    from .discriminator import MetaGANDiscriminator

    register("MetaGANDiscriminator", MetaGANDiscriminator)

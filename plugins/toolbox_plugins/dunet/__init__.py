"""DUnet (umzi, 2024): a U-Net discriminator that enlarges its features by sampling where it has learned to look."""

from toolbox import Register, hookimpl


@hookimpl
def register_discriminators(register: Register) -> None:
    from .discriminator import DUnetDiscriminator

    register("DUnetDiscriminator", DUnetDiscriminator)

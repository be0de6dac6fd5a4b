"""Real-ESRGAN (Wang et al., 2021): ESRGAN for photographs whose damage is unknown."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import RealESRGAN

    register("RealESRGAN", RealESRGAN)


@hookimpl
def register_generators(register: Register) -> None:
    from .srvgg import SRVGGNetCompact

    register("SRVGGNetCompact", SRVGGNetCompact)


@hookimpl
def register_discriminators(register: Register) -> None:
    from .unet_discriminator import UNetDiscriminator

    register("UNetDiscriminator", UNetDiscriminator)


@hookimpl
def register_formats(register: Register) -> None:
    from .discriminator_formats import UNetDiscriminatorBasicSR
    from .formats import SRVGGNetCompactBasicSR

    register("SRVGGNetCompactBasicSR", SRVGGNetCompactBasicSR)
    register("UNetDiscriminatorBasicSR", UNetDiscriminatorBasicSR)

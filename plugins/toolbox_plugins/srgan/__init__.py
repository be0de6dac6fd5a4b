"""SRGAN (Ledig et al., 2017): super-resolution by a pixel, a perceptual and an adversarial loss."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import SRGAN

    register("SRGAN", SRGAN)


@hookimpl
def register_generators(register: Register) -> None:
    from .srresnet import SRResNet
    from .srresnet_bn import SRResNetBN

    register("SRResNet", SRResNet)
    register("SRResNetBN", SRResNetBN)


@hookimpl
def register_discriminators(register: Register) -> None:
    from .vgg_discriminator import VGGStyleDiscriminator

    register("VGGStyleDiscriminator", VGGStyleDiscriminator)


@hookimpl
def register_formats(register: Register) -> None:
    from .discriminator_formats import VGGStyleDiscriminatorBasicSR
    from .formats import SRResNetBasicSR, SRResNetMMagic

    register("SRResNetBasicSR", SRResNetBasicSR)
    register("SRResNetMMagic", SRResNetMMagic)
    register("VGGStyleDiscriminatorBasicSR", VGGStyleDiscriminatorBasicSR)

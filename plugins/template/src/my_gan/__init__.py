"""My GAN: a plugin of gan-toolbox. This file is its table of contents; each hook imports what it registers."""

from toolbox import Register, hookimpl

toolbox_requires = ">=0.2"


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import ConsistentUpscaler

    register("ConsistentUpscaler", ConsistentUpscaler)


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import SmoothShuffleUpscaler

    register("SmoothShuffleUpscaler", SmoothShuffleUpscaler)


@hookimpl
def register_discriminators(register: Register) -> None:
    from .discriminator import TwoScalePatchDiscriminator

    register("TwoScalePatchDiscriminator", TwoScalePatchDiscriminator)


@hookimpl
def register_losses(register: Register) -> None:
    from .loss import EdgeWeightedL1

    register("EdgeWeightedL1", EdgeWeightedL1)


@hookimpl
def register_gan_variants(register: Register) -> None:
    from .variant import SoftHinge

    register("SoftHinge", SoftHinge)


@hookimpl
def register_degradations(register: Register) -> None:
    from .degradation import SensorDegradation

    register("SensorDegradation", SensorDegradation)


@hookimpl
def register_transforms(register: Register) -> None:
    from .transform import GammaJitter

    register("GammaJitter", GammaJitter)


@hookimpl
def register_datasets(register: Register) -> None:
    from .dataset import StripedImages

    register("StripedImages", StripedImages)


@hookimpl
def register_metrics(register: Register) -> None:
    from .metric import EdgeError

    register("EdgeError", EdgeError)


@hookimpl
def register_hooks(register: Register) -> None:
    from .hook import LossTable

    register("LossTable", LossTable)


@hookimpl
def register_formats(register: Register) -> None:
    from .weights import SmoothShuffleFlat

    register("SmoothShuffleFlat", SmoothShuffleFlat)

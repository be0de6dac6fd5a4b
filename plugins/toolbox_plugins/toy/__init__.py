"""Gaussians on a ring and on a grid: the textbook's test of what a GAN objective does, in seconds."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import LatentGAN

    register("LatentGAN", LatentGAN)


@hookimpl
def register_generators(register: Register) -> None:
    from .networks import PointGenerator

    register("PointGenerator", PointGenerator)


@hookimpl
def register_discriminators(register: Register) -> None:
    from .networks import PointDiscriminator

    register("PointDiscriminator", PointDiscriminator)


@hookimpl
def register_datasets(register: Register) -> None:
    from .mixture import GaussianMixture

    register("GaussianMixture", GaussianMixture)


@hookimpl
def register_metrics(register: Register) -> None:
    from .coverage import ModesCovered

    register("ModesCovered", ModesCovered)

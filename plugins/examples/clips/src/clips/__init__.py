"""Clips: doubles the size of short films, with a network that remembers earlier frames."""

from toolbox import Register, hookimpl

toolbox_requires = ">=0.2"


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import ClipUpscaling

    register("ClipUpscaling", ClipUpscaling)


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import RecurrentUpscaler

    register("RecurrentUpscaler", RecurrentUpscaler)


@hookimpl
def register_discriminators(register: Register) -> None:
    from .discriminator import ClipDiscriminator

    register("ClipDiscriminator", ClipDiscriminator)


@hookimpl
def register_losses(register: Register) -> None:
    from .loss import FrameDifference

    register("FrameDifference", FrameDifference)


@hookimpl
def register_datasets(register: Register) -> None:
    from .dataset import MovingClips

    register("MovingClips", MovingClips)

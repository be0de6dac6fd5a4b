"""What a discriminator's images go through first: DiffAugment, ADA, instance noise."""

from toolbox import Register, hookimpl


@hookimpl
def register_augmentations(register: Register) -> None:
    from .ada import ADA
    from .diff_augment import DiffAugment
    from .noise import InstanceNoise

    register("DiffAugment", DiffAugment)
    register("ADA", ADA)
    register("InstanceNoise", InstanceNoise)

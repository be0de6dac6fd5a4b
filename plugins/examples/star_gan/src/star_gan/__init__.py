"""StarGAN (Choi et al., 2018): one generator for all domains, told by a label where to go."""

from toolbox import Register, hookimpl

toolbox_requires = ">=0.2"


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import StarGAN

    register("StarGAN", StarGAN)


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import DomainGenerator

    register("DomainGenerator", DomainGenerator)


@hookimpl
def register_discriminators(register: Register) -> None:
    from .discriminator import DomainDiscriminator

    register("DomainDiscriminator", DomainDiscriminator)


@hookimpl
def register_losses(register: Register) -> None:
    from .loss import CrossEntropy

    register("CrossEntropy", CrossEntropy)


@hookimpl
def register_datasets(register: Register) -> None:
    from .dataset import DomainFolders

    register("DomainFolders", DomainFolders)

"""The source of a made-up plugin: components of every kind that take odd inputs, and some that break a contract."""

ODD = '''
"""Right components that made-up images do not suit, and some with a mistake."""

import numpy as np
import torch
from mmengine.hooks import Hook
from torch import Tensor, nn

from toolbox import (
    Discriminator, Generator, GanVariant, ImageDataset, Loss, PairedMetric, VariantWrapper, hookimpl,
)


class Grey(Discriminator):
    """Judges one channel, as its argument says."""

    def __init__(self, *, channels: int = 1) -> None:
        super().__init__()
        self.only = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.only(images)]


class Latent(Generator):
    """From numbers to images of one pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Conv2d(5, 3, 1)

    @classmethod
    def example_inputs(cls) -> tuple[Tensor, ...]:
        return (torch.rand(2, 5, 1, 1),)

    def forward(self, numbers: Tensor) -> Tensor:
        return self.only(numbers)


class Labels(Loss):
    """Cross entropy of labels."""

    @classmethod
    def example_inputs(cls) -> tuple[Tensor, ...]:
        return torch.rand(2, 4), torch.tensor([0, 3])

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(scores, labels)


class Sized(Loss):
    """Needs a width."""

    def __init__(self, *, width: int) -> None:
        super().__init__()

    @classmethod
    def example_arguments(cls) -> dict:
        return {"width": 3}

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).square().mean()


class Open(Sized):
    """Takes anything."""

    def __init__(self, **settings: int) -> None:
        super().__init__(width=1)


class L1Loss(Sized):
    """Has the name of another."""


class Losing(GanVariant):
    """Wraps by hand."""

    def __init__(self, *, base: GanVariant) -> None:
        super().__init__()
        self.base = base

    def d_loss(self, real, fake):
        return self.base.d_loss(real, fake)

    def g_loss(self, fake, real):
        return self.base.g_loss(fake, real)


class Keeping(VariantWrapper):
    """Wraps as it should."""


class Numbers(ImageDataset):
    """Three made-up pictures, each with a label."""

    def __len__(self) -> int:
        return 3

    def sample(self, index: int, rng: np.random.Generator) -> dict:
        return {"hr": rng.integers(0, 255, (8, 8, 3), np.uint8), "label": index, "name": f"{index}.png"}


class Restless(Numbers):
    """Draws from nowhere."""

    def sample(self, index: int, rng: np.random.Generator) -> dict:
        return super().sample(index, np.random.default_rng())


class Peak(PairedMetric):
    """The largest error."""

    name, higher_is_better = "peak", False
    protocol = "peak[RGB]"

    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        return (prediction - reference).abs().max().item()


class Upside(Peak):
    """Says that errors are good."""

    higher_is_better = True


class Flat(Hook):
    """Looks at the loss."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        pass


class Misspelt(Hook):
    """Never called."""

    def after_train_itr(self, runner) -> None:
        pass


class Short(Hook):
    """Called with more."""

    def after_train_iter(self, runner) -> None:
        pass


def register_loses(register):
    register("Never", Sized)


def hook_loaded(config):
    pass


@hookimpl
def register_discriminators(register):
    register("Grey", Grey)


@hookimpl
def register_generators(register):
    register("Latent", Latent)


@hookimpl
def register_losses(register):
    for each in (Labels, Sized, Open, L1Loss):
        register(each.__name__, each)


@hookimpl
def register_gan_variants(register):
    register("Losing", Losing)
    register("Keeping", Keeping)


@hookimpl
def register_datasets(register):
    register("Numbers", Numbers)
    register("Restless", Restless)


@hookimpl
def register_metrics(register):
    register("Peak", Peak)
    register("Upside", Upside)


@hookimpl
def register_hooks(register):
    for each in (Flat, Misspelt, Short):
        register(each.__name__, each)
'''

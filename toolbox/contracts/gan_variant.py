"""The GAN objective as an object: an algorithm calls these methods and never asks which variant it has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from toolbox.contracts.network import own_modules
from toolbox.io.errors import UserError

Logits = Sequence[Tensor]
"""A discriminator's answer: one tensor (B, ...) for each scale."""

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
"""Layers that mix the samples of a batch."""


class VariantError(UserError):
    """A variant and a discriminator (or another variant) do not go together."""


class GanVariant(nn.Module, ABC):
    """What the two players minimise, and what is done to the discriminator to keep it steady.

    Subclasses give `d_loss` and `g_loss`; the rest has harmless defaults. One that holds another variant derives from
    `toolbox.VariantWrapper`, or loses what the other does beside its losses. Losses are averaged over the logits of a
    scale and summed over scales. State that must survive a resume goes into buffers or `get_extra_state`.

    `regularizers` and `augmentations` (`toolbox.Regularizer`, `toolbox.Augmentation`) stand beside `type` in the config
    and go with any variant, whatever its class does itself.
    """

    d_steps: int = 1
    """Discriminator updates for each generator update, each on a fresh batch."""
    needs_real: bool = False
    """Whether `g_loss` wants the logits of the real images (relativistic objectives)."""
    boundary: float | None = None
    """The logit between real and fake, where there is one; None where only differences count."""

    def __init__(self) -> None:
        super().__init__()
        self.regularizers = nn.ModuleList()
        self.augmentations = nn.ModuleList()

    def __repr__(self) -> str:
        """On one line, as tables show it: `Hinge(R1(weight=1))`."""
        inner = [self.extra_repr(), *map(repr, (getattr(self, "base", None), *self.regularizers, *self.augmentations))]
        return f"{type(self).__name__}({', '.join(each for each in inner if each not in ('', 'None'))})"

    def prepare(self, discriminator: nn.Module) -> nn.Module:
        """Change or refuse a discriminator at build time (spectral norm is applied here, batch norm refused)."""
        return discriminator

    def augment(self, images: Tensor) -> Tensor:
        """Augment what the discriminator sees, real and fake, in both steps: (B, C, H, W) to the same."""
        return images

    @abstractmethod
    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """The discriminator's loss, a scalar."""

    @abstractmethod
    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """The generator's adversarial loss, a scalar; `real` is given if `needs_real`."""

    def regularize(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """A penalty on the discriminator, a scalar; called in float32 with the current fakes, never the pool's."""
        return real.new_zeros(())

    def after_d_step(self, discriminator: nn.Module) -> None:
        """Called after each discriminator update (weight clipping)."""

    # ------------------------------------------------------------ what an algorithm calls: the class and its lists

    def accept(self, discriminator: nn.Module) -> nn.Module:
        """`prepare`, and what the regularizers refuse."""
        discriminator = self.prepare(discriminator)
        for regularizer in self.regularizers:
            regularizer.prepare(discriminator)  # pyright: ignore[reportCallIssue]
        return discriminator

    def show(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) as the discriminator sees them: after `augment` and every augmentation."""
        images = self.augment(images)
        for augmentation in self.augmentations:
            images = augmentation(images)
        return images

    def penalties(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """`regularize`, and the term of every regularizer whose turn it is: weighted scalars by name.

        A lazy one counts `every` times as much in its turn, here and in the logs; between turns it has no entry.
        """
        terms = {"penalty": self.regularize(discriminator, real, fake)}
        add_terms(terms, self.listed_terms(discriminator, real, fake))
        return {name: term for name, term in terms.items() if term.requires_grad}

    def listed_terms(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The term of every regularizer whose turn it is: weighted scalars by name."""
        terms: dict[str, Tensor] = {}
        for regularizer in self.regularizers:
            term = regularizer.term(lambda images: discriminator(self.show(images)), real, fake)  # pyright: ignore[reportCallIssue]
            if term is not None:
                add_terms(terms, {regularizer.label: term})  # pyright: ignore[reportArgumentType]
        return terms

    def observe(self, real: Logits) -> None:
        """Let adaptive augmentations see the logits of the real images."""
        for augmentation in self.augmentations:
            augmentation.observe(real)  # pyright: ignore[reportCallIssue]

    def finish_step(self, discriminator: nn.Module) -> None:
        """`after_d_step`, and one step more for every regularizer."""
        self.after_d_step(discriminator)
        for regularizer in self.regularizers:
            regularizer.after_step()  # pyright: ignore[reportCallIssue]


def add_terms(terms: dict[str, Tensor], more: dict[str, Tensor]) -> None:
    """Put scalars into `terms` by name; two of one name add up."""
    for name, term in more.items():
        terms[name] = terms[name] + term if name in terms else term


def sum_terms(terms: Iterable[Tensor]) -> Tensor:
    """Sum scalars: the losses of all scales, the terms of a loss."""
    each = list(terms)
    return each[0] if len(each) == 1 else torch.stack(each).sum()


def weighted(term: Tensor, weight: float) -> Tensor:
    """A term times its weight; a weight of 1 costs no operation."""
    return term if weight == 1 else term * weight


def critic(logits: Logits) -> Tensor:
    """One value per sample (B,): the mean over a scale's patches, summed over scales."""
    values = [scale.flatten(1).mean(1) for scale in logits]
    return values[0] if len(values) == 1 else torch.stack(values).sum(0)


def refuse_batch_norm(discriminator: nn.Module, variant: str) -> None:
    """Refuse batch norm where a per-sample gradient is penalised: it mixes the samples of a batch."""
    names = [name for name, module in own_modules(discriminator) if isinstance(module, BATCH_NORMS)]
    if names:
        raise VariantError(
            f"{variant} penalises each sample's gradient, and {type(discriminator).__name__} has batch norm "
            f"({names[0]}{', …' if len(names) > 1 else ''}), which mixes samples; give the discriminator norm: none "
            "or norm: instance"
        )

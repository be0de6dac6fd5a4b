"""A variant around another: what changes one thing about any objective, and leaves it whole."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from toolbox.contracts.gan_variant import GanVariant, Logits, add_terms


class _OfBase:
    """An attribute that is `base`'s, until a wrapper's class or constructor gives another."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, wrapper: VariantWrapper | None, owner: type) -> Any:
        return getattr(GanVariant if wrapper is None else wrapper.base, self.name)


class Shown(nn.Module):
    """A discriminator behind augmentations that the variant within does not know of."""

    def __init__(self, discriminator: nn.Module, augmentations: nn.ModuleList) -> None:
        super().__init__()
        self.discriminator, self.augmentations = discriminator, augmentations

    def forward(self, images: Tensor) -> Logits:
        """The logits of images (B, C, H, W), augmented."""
        for augmentation in self.augmentations:
            images = augmentation(images)
        return self.discriminator(images)


class VariantWrapper(GanVariant):
    """Base of variants over another one, `base`: every member is `base`'s, its regularizers and augmentations too.

    A subclass gives those members that it changes, and calls `super()` for what `base` does there. Lists may stand
    beside both types in the config: `base`'s come first, and two regularizers of one name add up.

    ```yaml
    variant: {type: SpectralNorm, base: {type: Hinge, regularizers: [{type: R1}]}}
    ```
    """

    d_steps: int = _OfBase()  # pyright: ignore[reportAssignmentType]
    needs_real: bool = _OfBase()  # pyright: ignore[reportAssignmentType]
    boundary: float | None = _OfBase()  # pyright: ignore[reportAssignmentType]

    def __init__(self, *, base: GanVariant) -> None:
        super().__init__()
        self.base = base

    def prepare(self, discriminator: nn.Module) -> nn.Module:
        """All that `base` does to a discriminator, or refuses of it, at build time."""
        return self.base.accept(discriminator)

    def augment(self, images: Tensor) -> Tensor:
        """All that `base` shows the discriminator instead of images (B, C, H, W), of the same shape."""
        return self.base.show(images)

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """`base`'s, a scalar."""
        return self.base.d_loss(real, fake)

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """`base`'s, a scalar."""
        return self.base.g_loss(fake, real)

    def regularize(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """`base`'s own penalty, a scalar, on what this wrapper's augmentations show."""
        return self.base.regularize(self._shown(discriminator), real, fake)

    def listed_terms(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The regularizers' terms of `base`, on what this wrapper's augmentations show, and of this wrapper."""
        terms = self.base.listed_terms(self._shown(discriminator), real, fake)
        add_terms(terms, super().listed_terms(discriminator, real, fake))
        return terms

    def after_d_step(self, discriminator: nn.Module) -> None:
        """All that `base` does after a discriminator's update."""
        self.base.finish_step(discriminator)

    def observe(self, real: Logits) -> None:
        """`base`'s augmentations see the logits of real images too."""
        self.base.observe(real)
        super().observe(real)

    def _shown(self, discriminator: nn.Module) -> nn.Module:
        return Shown(discriminator, self.augmentations) if len(self.augmentations) else discriminator

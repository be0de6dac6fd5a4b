"""Spectral normalisation (Miyato et al., 2018) of the discriminator, over any other variant."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import GanVariant, Logits, UserError, VariantError
from toolbox.weights.spectral_norm import normalize_spectrally


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


class SpectralNorm(GanVariant):
    """Divides convolutions' and linear layers' weights by their largest singular value; the rest is `base`'s.

    `layers` are patterns of the layers' dotted names, all by default.
    """

    def __init__(self, *, base: GanVariant, layers: list[str] | None = None) -> None:
        super().__init__()
        if isinstance(base, SpectralNorm):
            raise VariantError("SpectralNorm over SpectralNorm: the second changes nothing; name the objective as base")
        if layers is not None and not layers:
            raise UserError("layers names none; leave it out for all")
        self.base, self.layers = base, layers or ["*"]
        self.d_steps, self.needs_real, self.boundary = base.d_steps, base.needs_real, base.boundary

    def prepare(self, discriminator: nn.Module) -> nn.Module:
        """Parametrise the weights, once, then let `base` prepare (and refuse)."""
        normalize_spectrally(discriminator, self.layers)
        return self.base.accept(discriminator)

    def show(self, images: Tensor) -> Tensor:
        """`base`'s, then its own augmentations."""
        return super().show(self.base.show(images))

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """`base`'s."""
        return self.base.d_loss(real, fake)

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """`base`'s."""
        return self.base.g_loss(fake, real)

    def penalties(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """`base`'s, on what its own augmentations show, and its own regularizers'; two of one name add up."""
        shown = Shown(discriminator, self.augmentations) if len(self.augmentations) else discriminator
        terms = self.base.penalties(shown, real, fake)
        for name, term in super().penalties(discriminator, real, fake).items():
            terms[name] = terms[name] + term if name in terms else term
        return terms

    def observe(self, real: Logits) -> None:
        """`base`'s augmentations see them too."""
        self.base.observe(real)
        super().observe(real)

    def finish_step(self, discriminator: nn.Module) -> None:
        """`base`'s, and its own regularizers'."""
        self.base.finish_step(discriminator)
        super().finish_step(discriminator)

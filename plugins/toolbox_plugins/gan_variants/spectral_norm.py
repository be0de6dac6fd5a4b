"""Spectral normalisation (Miyato et al., 2018) of the discriminator, over any other variant."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox.errors import UserError
from toolbox.gan_variant import GanVariant, Logits, VariantError
from toolbox.spectral_norm import normalize_spectrally


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
        """`base`'s, and its own regularizers'."""
        return self.base.penalties(discriminator, real, fake) | super().penalties(discriminator, real, fake)

    def observe(self, real: Logits) -> None:
        """`base`'s augmentations see them too."""
        self.base.observe(real)
        super().observe(real)

    def finish_step(self, discriminator: nn.Module) -> None:
        """`base`'s, and its own regularizers'."""
        self.base.finish_step(discriminator)
        super().finish_step(discriminator)

"""Spectral normalisation (Miyato et al., 2018) of the discriminator, over any other variant."""

from __future__ import annotations

from torch import nn

from toolbox import GanVariant, UserError, VariantError, VariantWrapper
from toolbox.weights.spectral_norm import normalize_spectrally


class SpectralNorm(VariantWrapper):
    """Divides convolutions' and linear layers' weights by their largest singular value; the rest is `base`'s.

    `layers` are patterns of the layers' dotted names, all by default.
    """

    def __init__(self, *, base: GanVariant, layers: list[str] | None = None) -> None:
        super().__init__(base=base)
        if isinstance(base, SpectralNorm):
            raise VariantError("SpectralNorm over SpectralNorm: the second changes nothing; name the objective as base")
        if layers is not None and not layers:
            raise UserError("layers names none; leave it out for all")
        self.layers = layers or ["*"]

    def prepare(self, discriminator: nn.Module) -> nn.Module:
        """Parametrise the weights, once, then let `base` prepare (and refuse)."""
        normalize_spectrally(discriminator, self.layers)
        return super().prepare(discriminator)

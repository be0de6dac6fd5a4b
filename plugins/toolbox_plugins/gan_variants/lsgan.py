"""Least-squares GAN (Mao et al., 2017), with CycleGAN's halved discriminator loss."""

from __future__ import annotations

from torch import Tensor

from toolbox.gan_variant import GanVariant, Logits, sum_terms


class LSGAN(GanVariant):
    """D minimises ((r - 1)^2 + f^2) / 2, G minimises (f - 1)^2.

    The half on D is equation 2 of the paper and the factor of the CycleGAN code; G's term is undivided, as there.
    """

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """Squared distance of real to 1 and fake to 0, halved; a scalar."""
        return sum_terms(((r - 1).square().mean() + f.square().mean()) / 2 for r, f in zip(real, fake, strict=True))

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """Squared distance of fake to 1, a scalar."""
        return sum_terms((f - 1).square().mean() for f in fake)

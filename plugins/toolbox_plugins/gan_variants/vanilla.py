"""The original GAN with the non-saturating generator loss (Goodfellow et al., 2014, section 3)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from toolbox.gan_variant import GanVariant, Logits, sum_terms


class Vanilla(GanVariant):
    """Binary cross-entropy on logits: D minimises softplus(-r) + softplus(f), G minimises softplus(-f)."""

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """Cross-entropy of real as 1 and fake as 0, a scalar."""
        return sum_terms(softplus(-r).mean() + softplus(f).mean() for r, f in zip(real, fake, strict=True))

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """Cross-entropy of fake as 1, a scalar."""
        return sum_terms(softplus(-f).mean() for f in fake)

"""Relativistic pairing GAN (Jolicoeur-Martineau, 2018), the objective of R3GAN (Huang et al., 2024)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from toolbox import GanVariant, Logits, sum_terms


class RpGAN(GanVariant):
    """Each real image against one fake: D minimises softplus(-(r - f)), G minimises softplus(-(f - r)).

    Pairs are of one place in the batch and one patch. R3GAN adds the regularizers R1 and R2. G's gradient passes
    through the fakes alone.
    """

    needs_real = True

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """How far real is from being above its fake, a scalar."""
        return sum_terms(softplus(f - r).mean() for r, f in zip(real, fake, strict=True))

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """How far fake is from being above its real, a scalar. The real logits get no gradient."""
        if real is None:
            raise ValueError("RpGAN compares with the logits of the real images, got none")
        return sum_terms(softplus(r.detach() - f).mean() for f, r in zip(fake, real, strict=True))

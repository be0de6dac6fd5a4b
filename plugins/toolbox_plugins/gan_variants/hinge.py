"""The hinge GAN (Lim and Ye, 2017; Miyato et al., 2018)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from toolbox import GanVariant, Logits, sum_terms


class Hinge(GanVariant):
    """D minimises relu(1 - r) + relu(1 + f), G minimises -f."""

    boundary = 0.0

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """How far real is below 1 and fake above -1, a scalar."""
        return sum_terms(relu(1 - r).mean() + relu(1 + f).mean() for r, f in zip(real, fake, strict=True))

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """Minus the fakes' logits, a scalar."""
        return sum_terms(-f.mean() for f in fake)

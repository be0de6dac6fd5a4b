"""The simplest objective, for checks of algorithms; the core knows no variant by name."""

from __future__ import annotations

from torch import Tensor

from toolbox.contracts.gan_variant import GanVariant, Logits, sum_terms


class LeastSquares(GanVariant):
    """Real to 1, fake to 0; the generator wants 1."""

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """Squared distances, a scalar."""
        return sum_terms((r - 1).square().mean() + f.square().mean() for r, f in zip(real, fake, strict=True))

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """Squared distance to 1, a scalar."""
        return sum_terms((f - 1).square().mean() for f in fake)

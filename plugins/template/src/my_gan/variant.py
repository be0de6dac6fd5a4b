"""A GAN objective: what the two players minimise."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from toolbox import GanVariant, Logits, sum_terms


class SoftHinge(GanVariant):
    """D minimises s(margin - r) + s(margin + f), G minimises -f, with s(x) = log(1 + exp(sharpness * x)) / sharpness.

    The hinge objective (Lim and Ye 2017) with a rounded corner: a sample beyond the margin still pulls a little. As
    `sharpness` grows, s becomes max(0, x) and this the hinge.
    """

    def __init__(self, *, margin: float = 1.0, sharpness: float = 5.0) -> None:
        super().__init__()
        if margin <= 0 or sharpness <= 0:
            raise ValueError(f"margin and sharpness must be above 0, got {margin} and {sharpness}")
        self.margin, self.sharpness = margin, sharpness

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """Real logits above the margin, fake ones below minus the margin; a scalar."""
        return sum_terms(
            softplus(self.margin - r, self.sharpness).mean() + softplus(self.margin + f, self.sharpness).mean()
            for r, f in zip(real, fake, strict=True)
        )

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """Fake logits as high as they go, a scalar."""
        return sum_terms(-f.mean() for f in fake)

    def extra_repr(self) -> str:
        """As in the config."""
        return f"margin={self.margin}, sharpness={self.sharpness}"

"""The original GAN (Goodfellow et al., 2014): cross-entropy, with either of its two generator losses."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from toolbox import GanVariant, Logits, UserError, sum_terms


class Vanilla(GanVariant):
    """Binary cross-entropy on logits: D minimises softplus(-r) + softplus(f), G minimises softplus(-f).

    Args:
        saturating: G minimises -softplus(f) instead, the minimax game of the paper's equation 1, whose gradient dies
            where D is sure; the default is its section 3's non-saturating loss.
        label_smoothing: D's target for real images is 1 less this; one-sided (Salimans et al., 2016, section 3.4).
    """

    boundary = 0.0

    def __init__(self, *, saturating: bool = False, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 0.5:
            raise UserError(f"label_smoothing must be from 0 to below 0.5, got {label_smoothing}")
        self.saturating, self.label_smoothing = saturating, label_smoothing

    def extra_repr(self) -> str:
        """As in the config, where it is not the default."""
        given = ["saturating=True"] if self.saturating else []
        return ", ".join(given + ([f"label_smoothing={self.label_smoothing:g}"] if self.label_smoothing else []))

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """Cross-entropy of real as 1 (less the smoothing) and fake as 0, a scalar."""
        s = self.label_smoothing  # bce(x, 1 - s) = softplus(-x) + s * x
        return sum_terms(
            (softplus(-r) + s * r if s else softplus(-r)).mean() + softplus(f).mean()
            for r, f in zip(real, fake, strict=True)
        )

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """Cross-entropy of fake as 1, or minus that of fake as 0; a scalar."""
        return sum_terms((-softplus(f) if self.saturating else softplus(-f)).mean() for f in fake)

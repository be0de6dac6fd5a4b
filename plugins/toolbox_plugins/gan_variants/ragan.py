"""Relativistic average GAN (Jolicoeur-Martineau, 2018), as ESRGAN uses it."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor
from torch.nn.functional import softplus

from toolbox import GanVariant, Logits, UserError, sum_terms


class RaGAN(GanVariant):
    """How much more real the real images look than the fakes on average, and the other way round.

    With bce(x, t) the cross-entropy of logits x and label t, and r, f a scale's logits: D minimises
    (bce(r - mean f, 1) + bce(f - mean r, 0)) / 2, and G the same with the labels exchanged and r held fixed
    (algorithm 2 of the paper, with the half of ESRGAN's code in both). `objective: ls` takes (x - 1)^2 and (x + 1)^2
    instead, RaLSGAN.

    The mean is over everything that a scale has: batch and positions, and on several processes each over its own
    batch, as in BasicSR. D's gradient passes through both means, as in the paper (BasicSR cuts it there).
    """

    needs_real = True

    def __init__(self, *, objective: str = "bce") -> None:
        super().__init__()
        if objective not in ("bce", "ls"):
            raise UserError(f"objective must be bce or ls, got {objective!r}")
        self.objective = objective

    def extra_repr(self) -> str:
        """As in the config."""
        return f"objective={self.objective!r}"

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """Real above the mean fake, fake below the mean real; a scalar."""
        return self._apart(zip(real, fake, strict=True))

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """Fake above the mean real, real below the mean fake; a scalar. The real logits get no gradient."""
        if real is None:
            raise ValueError("RaGAN compares with the logits of the real images, got none")
        return self._apart((f, r.detach()) for f, r in zip(fake, real, strict=True))

    def _apart(self, scales: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
        return sum_terms((self._high(a - b.mean()) + self._high(a.mean() - b)) / 2 for a, b in scales)

    def _high(self, x: Tensor) -> Tensor:
        # bce(x, 0) = bce(-x, 1), and likewise for the squares: so both terms are "this difference is high".
        return (softplus(-x) if self.objective == "bce" else (x - 1).square()).mean()

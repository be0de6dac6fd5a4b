"""Wasserstein GAN (Arjovsky et al., 2017), with weight clipping, and its soft relative."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from toolbox import GanVariant, Logits, UserError, sum_terms


class WGAN(GanVariant):
    """D minimises f - r, its weights clipped to [-clip, clip] after each step; G minimises -f.

    `clip` and `d_steps` are the paper's (algorithm 1). `clip: null` leaves the slope to a regularizer or to spectral
    normalisation; with neither, the loss has no bound and the config is refused.
    """

    def __init__(self, *, clip: float | None = 0.01, d_steps: int = 5) -> None:
        super().__init__()
        if clip is not None and not clip > 0:
            raise UserError(f"clip must be above 0, or null for none, got {clip}")
        if d_steps < 1:
            raise UserError(f"d_steps must be at least 1, got {d_steps}")
        self.clip, self.d_steps = clip, d_steps

    def extra_repr(self) -> str:
        """As in the config."""
        return f"clip={self.clip}, d_steps={self.d_steps}"

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """Minus the critic's estimate of the Wasserstein distance, a scalar."""
        return sum_terms(f.mean() - r.mean() for r, f in zip(real, fake, strict=True))

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """Minus the critic's value of the fakes, a scalar."""
        return sum_terms(-f.mean() for f in fake)

    def after_d_step(self, discriminator: nn.Module) -> None:
        """Clip every parameter that is trained."""
        if self.clip is not None:
            with torch.no_grad():
                for parameter in discriminator.parameters():
                    if parameter.requires_grad:
                        parameter.clamp_(-self.clip, self.clip)


class SoftplusWGAN(GanVariant):
    """BasicSR's `wgan_softplus`: D minimises softplus(-r) + softplus(f), G minimises softplus(-f), without sigmoid.

    The same terms as `Vanilla`; the name is kept so that configs of StyleGAN2 in BasicSR translate word for word.
    """

    boundary = 0.0

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """softplus of minus real and of fake, a scalar."""
        return sum_terms(softplus(-r).mean() + softplus(f).mean() for r, f in zip(real, fake, strict=True))

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """softplus of minus the fakes' logits, a scalar."""
        return sum_terms(softplus(-f).mean() for f in fake)

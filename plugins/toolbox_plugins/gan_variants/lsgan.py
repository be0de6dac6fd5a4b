"""Least-squares GAN (Mao et al., 2017), with CycleGAN's halved discriminator loss."""

from __future__ import annotations

from torch import Tensor

from toolbox import GanVariant, Logits, UserError, sum_terms


class LSGAN(GanVariant):
    """D minimises ((r - 1)^2 + f^2) / 2, G minimises (f - 1)^2.

    The half on D is equation 2 of the paper and the factor of the CycleGAN code; G's term is undivided, as there.
    `label_smoothing` lowers D's target for real images below 1; G's stays.
    """

    boundary = 0.5

    def __init__(self, *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 0.5:
            raise UserError(f"label_smoothing must be from 0 to below 0.5, got {label_smoothing}")
        self.target = 1 - label_smoothing

    def extra_repr(self) -> str:
        """As in the config, where it is not the default."""
        return f"label_smoothing={1 - self.target:g}" if self.target != 1 else ""

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """Squared distance of real to the target and fake to 0, halved; a scalar."""
        pairs = zip(real, fake, strict=True)
        return sum_terms(((r - self.target).square().mean() + f.square().mean()) / 2 for r, f in pairs)

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """Squared distance of fake to 1, a scalar."""
        return sum_terms((f - 1).square().mean() for f in fake)

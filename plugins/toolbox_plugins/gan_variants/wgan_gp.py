"""Wasserstein GAN with gradient penalty (Gulrajani et al., 2017)."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox_plugins.regularizers.slope import GradientPenalty

from .wgan import WGAN


class WGANGP(WGAN):
    """D minimises f - r + weight * (|grad D(x)| - 1)^2 on interpolates x; G minimises -f.

    `WGAN` without clipping, and the regularizer `GradientPenalty` built in. `d_steps` and `weight` are the paper's
    (algorithm 1).
    """

    def __init__(self, *, weight: float = 10.0, d_steps: int = 5, image_span: float = 2.0) -> None:
        super().__init__(clip=None, d_steps=d_steps)
        self.penalty = GradientPenalty(image_span=image_span)
        self.penalty.configure(weight=weight)

    def extra_repr(self) -> str:
        """As in the config."""
        return f"weight={self.penalty.weight:g}, d_steps={self.d_steps}"

    def prepare(self, discriminator: nn.Module) -> nn.Module:
        """Refuse batch norm (section 4 of the paper)."""
        self.penalty.prepare(discriminator, of="WGANGP")
        return discriminator

    def regularize(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """The gradient penalty on interpolates between real and fake (B, C, H, W), a scalar."""
        return self.penalty(lambda images: discriminator(self.show(images)), real, fake) * self.penalty.weight

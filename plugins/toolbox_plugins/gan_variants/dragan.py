"""DRAGAN (Kodali et al., 2017): the original GAN with a penalty on the slope around real images."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox_plugins.regularizers.slope import DRAGANPenalty

from .vanilla import Vanilla


class DRAGAN(Vanilla):
    """`Vanilla` with the regularizer `DRAGANPenalty` built in; its weight is the paper's."""

    def __init__(self, *, weight: float = 10.0, image_span: float = 2.0) -> None:
        super().__init__()
        self.penalty = DRAGANPenalty(image_span=image_span)
        self.penalty.configure(weight=weight)

    def extra_repr(self) -> str:
        """As in the config."""
        return f"weight={self.penalty.weight:g}"

    def prepare(self, discriminator: nn.Module) -> nn.Module:
        """Refuse batch norm."""
        self.penalty.prepare(discriminator, of="DRAGAN")
        return discriminator

    def regularize(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """The penalty around real images (B, C, H, W), a scalar."""
        return self.penalty(lambda images: discriminator(self.show(images)), real, fake) * self.penalty.weight

"""Spectral normalisation (Miyato et al., 2018) over any other variant."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm, spectral_norm

from toolbox.gan_variant import GanVariant, Logits, VariantError

NORMALISED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)


class Float32SpectralNorm(_SpectralNorm):
    """torch's, in float32 under autocast: on CUDA that would round the power iteration, whose state is float32."""

    def forward(self, weight: Tensor) -> Tensor:
        """The weight over its largest singular value."""
        with torch.autocast(weight.device.type, enabled=False):
            return super().forward(weight)


def normalize_spectrally(network: nn.Module) -> None:
    """Parametrise the weight of every convolution and linear layer that is not parametrised already, in place."""
    for module in list(network.modules()):
        if isinstance(module, NORMALISED) and not hasattr(module, "parametrizations"):
            spectral_norm(module)
            for parametrization in module.parametrizations.weight:  # pyright: ignore[reportAttributeAccessIssue, reportGeneralTypeIssues]
                parametrization.__class__ = Float32SpectralNorm


class SpectralNorm(GanVariant):
    """Divides every convolution's and linear layer's weight by its largest singular value; the rest is `base`'s."""

    def __init__(self, *, base: GanVariant) -> None:
        super().__init__()
        if isinstance(base, SpectralNorm):
            raise VariantError("SpectralNorm over SpectralNorm: the second changes nothing; name the objective as base")
        self.base = base
        self.d_steps, self.needs_real, self.boundary = base.d_steps, base.needs_real, base.boundary

    def prepare(self, discriminator: nn.Module) -> nn.Module:
        """Parametrise the weights, once, then let `base` prepare (and refuse)."""
        normalize_spectrally(discriminator)
        return self.base.accept(discriminator)

    def show(self, images: Tensor) -> Tensor:
        """`base`'s, then its own augmentations."""
        return super().show(self.base.show(images))

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """`base`'s."""
        return self.base.d_loss(real, fake)

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """`base`'s."""
        return self.base.g_loss(fake, real)

    def penalties(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """`base`'s, and its own regularizers'."""
        return self.base.penalties(discriminator, real, fake) | super().penalties(discriminator, real, fake)

    def observe(self, real: Logits) -> None:
        """`base`'s augmentations see them too."""
        self.base.observe(real)
        super().observe(real)

    def finish_step(self, discriminator: nn.Module) -> None:
        """`base`'s, and its own regularizers'."""
        self.base.finish_step(discriminator)
        super().finish_step(discriminator)

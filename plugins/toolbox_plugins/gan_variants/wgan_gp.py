"""Wasserstein GAN with gradient penalty (Gulrajani et al., 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolbox.gan_variant import GanVariant, Logits, critic, refuse_batch_norm, sum_terms


class WGANGP(GanVariant):
    """D minimises f - r + weight * (|grad D(x)| - 1)^2 on interpolates x; G minimises -f.

    `d_steps` and `weight` are the paper's (algorithm 1). The norm is per sample, over all of C, H and W, of the mean
    over patches. The paper's images span [-1, 1], the toolbox's [0, 1]: `image_span` 2 measures the slope on the
    paper's scale (a critic whose slope is 1 there has slope 2 here), 1 on the toolbox's own.
    """

    def __init__(self, *, weight: float = 10.0, d_steps: int = 5, image_span: float = 2.0) -> None:
        super().__init__()
        if weight <= 0 or d_steps < 1 or image_span <= 0:
            raise ValueError(
                f"weight and image_span must be above 0 and d_steps at least 1, got {weight}, {image_span}, {d_steps}"
            )
        self.weight, self.d_steps, self.image_span = weight, d_steps, image_span

    def extra_repr(self) -> str:
        """As in the config."""
        return f"weight={self.weight}, d_steps={self.d_steps}"

    def prepare(self, discriminator: nn.Module) -> nn.Module:
        """Refuse batch norm (section 4 of the paper)."""
        refuse_batch_norm(discriminator, "WGANGP")
        return discriminator

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        """Minus the critic's estimate of the Wasserstein distance, a scalar."""
        return sum_terms(f.mean() - r.mean() for r, f in zip(real, fake, strict=True))

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        """Minus the critic's value of the fakes, a scalar."""
        return sum_terms(-f.mean() for f in fake)

    def regularize(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """The gradient penalty on interpolates between real and fake (B, C, H, W), a scalar."""
        share = torch.rand(real.shape[0], 1, 1, 1, device=real.device, dtype=real.dtype)
        images = torch.lerp(fake, real, share).requires_grad_()
        values = critic(discriminator(self.augment(images)))  # (B,)
        (gradient,) = torch.autograd.grad(values.sum(), images, create_graph=True)
        norm = gradient.flatten(1).norm(2, dim=1) / self.image_span  # (B,), over all of C, H, W
        return self.weight * (norm - 1).square().mean()

"""Penalties on the slope of a discriminator: WGAN-GP's, DRAGAN's, R1 and R2.

Published weights are for images in [-1, 1], the toolbox's are in [0, 1], where the same function is twice as steep:
`image_span` 2 measures the slope on the published scale, 1 on the toolbox's own.
"""

from __future__ import annotations

from abc import abstractmethod
from math import isfinite

import torch
from torch import Tensor, nn

from toolbox import Judge, Regularizer, UserError, critic, refuse_batch_norm


class Slope(Regularizer):
    """Base of penalties on the gradient of the logits with respect to the images, per sample over all of C, H, W."""

    def __init__(self, *, image_span: float = 2.0) -> None:
        super().__init__()
        if not (image_span > 0 and isfinite(image_span)):
            raise UserError(f"image_span must be above 0 and finite, got {image_span}")
        self.image_span = image_span

    def prepare(self, discriminator: nn.Module, of: str | None = None) -> None:
        """Refuse batch norm, which makes a sample's gradient depend on the other samples."""
        refuse_batch_norm(discriminator, of or type(self).__name__)

    def norms(self, judge: Judge, images: Tensor) -> Tensor:
        """Norms (B,) of the gradient of the critic: the mean over a scale's patches, summed over scales."""
        images = images.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(critic(judge(images)).sum(), images, create_graph=True)
        return gradient.flatten(1).norm(2, dim=1) / self.image_span


class GradientPenalty(Slope):
    """(|grad D(x)| - center)^2 for x between a real image and a fake (Gulrajani et al., 2017, equation 3); weight 10.

    Args:
        center: the slope that is wanted: 1 for a Wasserstein critic; 0, a flat one, is UVCGANv2's.
    """

    weight = 10.0

    def __init__(self, *, center: float = 1.0, image_span: float = 2.0) -> None:
        super().__init__(image_span=image_span)
        if not (center >= 0 and isfinite(center)):
            raise UserError(f"center must be 0 or more and finite, got {center}")
        self.center = center

    def forward(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        """The mean over samples, a scalar; each sample's x is at a random place of its own."""
        share = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device, dtype=real.dtype)
        return (self.norms(judge, torch.lerp(fake, real, share)) - self.center).square().mean()


class DRAGANPenalty(Slope):
    """(|grad D(x)| - 1)^2 for x near a real image (Kodali et al., 2017, section 2.3); weight 10.

    x = real + share * 0.5 * std * U, with the batch's standard deviation, U uniform in [0, 1] for each value and a
    share for each sample, as in the authors' code.
    """

    weight = 10.0

    def forward(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        """The mean over samples, a scalar."""
        share = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device, dtype=real.dtype)
        around = real + share * 0.5 * real.std() * torch.rand_like(real)
        return (self.norms(judge, around) - 1).square().mean()


class ZeroCentred(Slope):
    """Base of R1 and R2: half the squared norm of the gradient of the logits' sum, over the number of logits.

    A patch discriminator's sum has more terms on a larger crop, and its squared gradient grows about as their number N
    (measured: .060, .304, 1.35 for 14², 30², 62² patches); divided by N it stays (3.0e-4 to 3.5e-4), so a weight keeps
    its meaning. Instance norm bends that a little: there it falls, by about 2.5 from 6² to 62² patches, where the
    plain one grows over 40-fold. With one logit per sample both are the same. Several scales count one by one and are
    summed. `per_patch: false` is the plain one.

    With `image_span` 2 a squared slope is a quarter of that on the toolbox's [0, 1] images: published gammas keep their
    strength.
    """

    def __init__(self, *, per_patch: bool = True, image_span: float = 2.0) -> None:
        super().__init__(image_span=image_span)
        self.per_patch = per_patch

    @abstractmethod
    def chosen(self, real: Tensor, fake: Tensor) -> Tensor:
        """Where the slope counts."""

    def forward(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        """The mean over samples, a scalar."""
        images = self.chosen(real, fake).detach().requires_grad_()
        terms = []
        for logits in judge(images):
            (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
            patches = logits[0].numel() if self.per_patch else 1
            terms.append(gradient.flatten(1).square().sum(1).mean() / (2 * patches * self.image_span**2))
        return torch.stack(terms).sum()


class R1(ZeroCentred):
    """Half the squared slope at real images (Mescheder et al., 2018, equation 9); its weight is gamma."""

    def chosen(self, real: Tensor, fake: Tensor) -> Tensor:
        """The real images."""
        return real


class R2(ZeroCentred):
    """Half the squared slope at fakes (Mescheder et al., 2018, equation 10); its weight is gamma."""

    def chosen(self, real: Tensor, fake: Tensor) -> Tensor:
        """The current fakes."""
        return fake

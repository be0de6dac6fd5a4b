"""Losses of two lists of activations, one tensor for each layer, that an algorithm has at hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox import Loss, UserError

from .pixel import check_shapes
from .statistics import channel_moments, moment_difference


class FeatureMatchingLoss(Loss):
    """The mean absolute difference of a discriminator's activations, the mean over its layers.

    Wang et al. 2018 (pix2pixHD), equation 3: images are paired there, and the weight is 10. The real images'
    activations get no gradient.
    """

    def forward(self, fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
        """Compare lists of activations, (B, c, h, w) for each layer; a float32 scalar."""
        terms = []
        for a, b in layer_by_layer(fake, real):
            check_shapes(a, b)
            terms.append(F.l1_loss(a, b.detach()))
        return torch.stack(terms).mean()


class MomentLoss(Loss):
    """Squared differences of each channel's mean and deviation, the mean over channels, summed over layers.

    AdaIN's style loss (Huang and Belongie 2017, equation 12) of an output's activations and its style's, which may have
    another size. The paper writes norms; their squares are the mean squared errors of its code. The style's activations
    get no gradient. The same of two images is `PerceptualLoss` with `criterion: moments`.
    """

    def forward(self, output: Sequence[Tensor], style: Sequence[Tensor]) -> Tensor:
        """Compare lists of activations, (B, c, h, w) for each layer; a float32 scalar."""
        terms = []
        for a, b in layer_by_layer(output, style):
            if a.shape[:2] != b.shape[:2]:
                check_shapes(a, b)
            terms.append(moment_difference(channel_moments(a), channel_moments(b.detach())))
        return torch.stack(terms).sum()


def layer_by_layer(first: Sequence[Tensor], second: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """The two tensors of each layer. Raises UserError where there are not as many of each."""
    if len(first) != len(second) or not len(first):
        raise UserError(f"a loss compares as many layers of one as of the other, got {len(first)} and {len(second)}")
    yield from zip(first, second, strict=True)

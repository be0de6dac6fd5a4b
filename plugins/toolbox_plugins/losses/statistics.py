"""What is compared of activations (B, c, h, w) in their place's stead: Gram matrices, means and deviations."""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-5
"""Added to variances, as in AdaIN's equation 6 and PyTorch's InstanceNorm."""


def gram_matrix(features: Tensor) -> Tensor:
    """The products of all channels, summed over positions and divided by c*h*w: (B, c, c), float32.

    Gatys et al. 2016, normalised as Johnson et al. 2016, section 3.2.
    """
    flat = features.flatten(2)  # (B, c, h*w)
    return flat @ flat.transpose(1, 2) / flat[0].numel()


def channel_moments(features: Tensor) -> Tensor:
    """Mean and deviation of each channel over the positions: (B, 2, c)."""
    variance, mean = torch.var_mean(features.flatten(2), dim=2, correction=0)
    return torch.stack([mean, (variance + EPSILON).sqrt()], dim=1)


def instance_normalized(features: Tensor) -> Tensor:
    """Each channel of each image with mean 0 and deviation 1, without affine parameters."""
    variance, mean = torch.var_mean(features, dim=(2, 3), correction=0, keepdim=True)
    return (features - mean) / (variance + EPSILON).sqrt()


def gram_difference(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared Frobenius distance of matrices (B, c, c), the mean over the batch; a scalar."""
    return (prediction - target).square().sum((1, 2)).mean()


def moment_difference(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared differences of means and of deviations (B, 2, c), each the mean over channels and batch; a scalar."""
    return (prediction - target).square().mean((0, 2)).sum()


STATISTICS = {"gram": (gram_matrix, gram_difference), "moments": (channel_moments, moment_difference)}
"""What is taken of activations, and how two of it differ."""

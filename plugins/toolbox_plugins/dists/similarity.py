"""How alike two images' activations are, and the learned weights of their channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import MissingWeights, UserError, constant
from toolbox.weights.packaged import packaged_file
from toolbox_plugins.features.lpips_trunks import VGG16
from toolbox_plugins.features.weights import find_weights, read_tensors

HANNING = (0.25, 0.5, 0.25)
"""The filter before every second pixel is taken, down and across."""
STABLE = 1e-6
"""Keeps the quotients of channels without a mean or without variance finite (equations 3 and 4)."""
CHANNELS = (3, 64, 128, 256, 512, 512)
"""Of the image itself, and of the last ReLU of each block."""


class SmoothVGG16(VGG16):
    """VGG16 whose maxima are roots of smoothed squares, every second one: it does not alias (section 3.1 of DISTS).

    The layer `image` is the image itself, without which two images of the same activations would be the same.
    """

    layers = ("image", *VGG16.layers)
    taps = ("image", *VGG16.taps)

    @staticmethod
    def make_layers() -> nn.Sequential:
        """As VGG16's, so that torchvision's keys fit."""
        layers = VGG16.make_layers()
        return nn.Sequential(*(SmoothPool() if isinstance(each, nn.MaxPool2d) else each for each in layers))

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Return the activations (B, c, h, w) of the named layers for images (B, 3, H, W) in [0, 1]."""
        found = {"image": images, **super().forward(images, [each for each in layers if each != "image"])}
        return {layer: found[layer] for layer in layers}


class SmoothPool(nn.Module):
    """The root of squares under a 3x3 Hanning window, at every second pixel; beyond the border is 0."""

    def forward(self, activations: Tensor) -> Tensor:
        """Activations (B, c, h, w) to (B, c, ceil(h / 2), ceil(w / 2))."""
        channels = activations.shape[1]
        row = constant(HANNING, activations)
        kernel = (row[:, None] * row).expand(channels, 1, 3, 3)
        smooth = F.conv2d(activations.square(), kernel, stride=2, padding=1, groups=channels)
        return (smooth + 1e-12).sqrt()


def channel_weights(heads: str | None) -> Tensor:
    """What texture and structure of each channel count, (2, 1475), together 1: of a file, or the package dists-pytorch.

    Raises:
        UserError: it is no file of DISTS, or there is none.
    """
    path = find_weights(heads) if heads is not None else packaged_file("DISTS_pytorch", "weights.pt")
    if path is None:
        raise MissingWeights("DISTS has no learned weights; pip install --no-deps dists-pytorch, or give heads")
    state = read_tensors(path)
    for key in ("alpha", "beta"):
        if key not in state or state[key].numel() != sum(CHANNELS):
            what = f"its {key} is {tuple(state[key].shape)}" if key in state else f"it lacks {key}"
            raise UserError(f"heads: {path} is no file of DISTS, {what}")
    weights = torch.stack([state[key].float().flatten() for key in ("alpha", "beta")])
    return weights / weights.sum()


def dissimilarity(first: Sequence[Tensor], second: Sequence[Tensor], weights: Tensor) -> Tensor:
    """1 minus the weighed similarity of lists of activations (B, c, h, w), images first: (B,), 0 for equal ones.

    Ding et al. 2020, equations 3 to 5: of each channel how near the means are, which is texture, and the correlation,
    which is structure.
    """
    terms = []
    for one, other, (texture, structure) in zip(first, second, _parted(weights), strict=True):
        mean1, mean2 = one.mean((2, 3), keepdim=True), other.mean((2, 3), keepdim=True)
        apart1, apart2 = one - mean1, other - mean2
        spread = apart1.square().mean((2, 3)) + apart2.square().mean((2, 3))  # (B, c)
        alike = (2 * (apart1 * apart2).mean((2, 3)) + STABLE) / (spread + STABLE)
        near = (2 * mean1 * mean2 + STABLE) / (mean1.square() + mean2.square() + STABLE)
        terms.append((texture * near[:, :, 0, 0]).sum(1) + (structure * alike).sum(1))
    return 1 - torch.stack(terms).sum(0)


def _parted(weights: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Weights (2, 1475) by layer, of texture and of structure."""
    return list(zip(*(each.split(CHANNELS) for each in weights), strict=True))

"""A discriminator built like a modern classifier: four stages of gated blocks with sparse depthwise convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Discriminator, UserError
from toolbox.weights.spectral_norm import normalize_spectrally

SHARE = 8
"""One channel of so many goes through each of the three depthwise convolutions."""
BAND = 11
"""Length of the convolutions along rows and along columns."""
EPSILON = 1e-6


class MetaGANDiscriminator(Discriminator):
    """Images (B, C, H, W) in [0, 1] to `[logits]`: one tensor (B, 1), or with `pooled` off (B, 1, H/32, W/32).

    MetaGAN2 (umzi, MIT; no paper), the default of neosr, and in traiNNer-redux: a stem of two strided convolutions,
    stages of gated blocks (of MambaOut: Yu and Wang, 2025) whose depthwise convolutions are square, wide and tall over
    an eighth of the channels each (of InceptionNeXt: Yu et al., 2024), a strided convolution between stages, and a head
    of two layers. Spectral norm on all but the depthwise convolutions and the last layer. Without batch norm.

    Args:
        widths: channels of each stage; the image is a quarter as large in the first, and half of that in each next.
        blocks: gated blocks of each stage.
        expansion: how many times as wide a block is inside.
        pooled: a verdict on the whole image, as the author argues; off, on each of its places.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        widths: Sequence[int] = (48, 96, 192, 288),
        blocks: Sequence[int] = (3, 3, 9, 3),
        expansion: float = 8 / 3,
        pooled: bool = True,
    ) -> None:
        super().__init__()
        if len(widths) != len(blocks) or not widths or min(blocks) < 0:
            raise UserError(f"widths and blocks want a number for each stage, got {list(widths)} and {list(blocks)}")
        if min(widths) < SHARE:
            raise UserError(f"widths must be at least {SHARE}, got {list(widths)}")
        if in_channels < 1:
            raise UserError(f"in_channels must be at least 1, got {in_channels}")
        if expansion < 1:
            raise UserError(f"expansion must be at least 1, got {expansion}")
        self.pooled = pooled
        first = widths[0]
        self.stem = nn.Sequential(
            normalized(nn.Conv2d(in_channels, first // 2, 3, 2, 1)),
            nn.SiLU(),
            normalized(nn.Conv2d(first // 2, first, 3, 2, 1)),
        )
        self.begin = Scaled(first)
        self.between = nn.ModuleList(
            nn.ModuleList([Scaled(before), normalized(nn.Conv2d(before, after, 3, 2, 1))])
            for before, after in pairwise(widths)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(GatedBlock(width, int(expansion * width)) for _ in range(number)))
            for width, number in zip(widths, blocks, strict=True)
        )
        last = widths[-1]
        self.head = nn.Sequential(normalized(nn.Linear(last, 4 * last)), nn.Mish(), nn.Linear(4 * last, 1))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Judge images (B, C, H, W) in [0, 1]."""
        features = self.begin(self.stem(images).movedim(1, -1))  # (B, H / 4, W / 4, width), channels last from here on
        for number, stage in enumerate(self.stages):
            if number:
                norm, halve = self.between[number - 1].children()
                features = halve(norm(features).movedim(-1, 1)).movedim(1, -1)
            features = stage(features)
        if self.pooled:
            return [self.head(features.mean((1, 2)))]
        return [self.head(features).movedim(-1, 1)]


class GatedBlock(nn.Module):
    """Norm, a linear layer, depthwise convolutions of a part of it, a gate and a linear layer, added (B, H, W, width).

    What is added is scaled by a factor for each channel that begins at 1e-6.
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.sizes = [inner, inner - width, width]
        self.norm = Scaled(width)
        self.widen, self.narrow = normalized(nn.Linear(width, 2 * inner)), normalized(nn.Linear(inner, width))
        self.depthwise = SparseDepthwise(width)
        self.gain = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, H, W, width)."""
        gate, passed, seen = self.widen(self.norm(features)).split(self.sizes, -1)
        seen = self.depthwise(seen.movedim(-1, 1)).movedim(1, -1)
        return features + self.gain * self.narrow(F.silu(gate) * torch.cat([passed, seen], -1))


class SparseDepthwise(nn.Module):
    """A square, a wide and a tall depthwise convolution, each over its share of the channels; the others pass."""

    def __init__(self, width: int) -> None:
        super().__init__()
        part = width // SHARE
        self.sizes = [width - 3 * part, part, part, part]
        self.convs = nn.ModuleList(
            nn.Conv2d(part, part, kernel, padding=(kernel[0] // 2, kernel[1] // 2), groups=part)
            for kernel in ((3, 3), (1, BAND), (BAND, 1))
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, width, H, W) to the same."""
        passed, *parts = features.split(self.sizes, 1)
        return torch.cat([passed, *(conv(part) for conv, part in zip(self.convs, parts, strict=True))], 1)


class Scaled(nn.Module):
    """Root mean square norm over the channels of each place, with a gain for each (B, H, W, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, H, W, width) to the same, of mean square 1 before the gain."""
        return features * (features.square().mean(-1, keepdim=True) + EPSILON).rsqrt() * self.weight


def normalized(layer: nn.Module) -> nn.Module:
    """The layer, with spectral norm."""
    normalize_spectrally(layer)
    return layer

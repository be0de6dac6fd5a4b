"""SPAN: plain convolutions at low resolution, whose features weigh themselves."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, silu

from toolbox import Generator, UserError, constant

MEAN = (0.4488, 0.4371, 0.4040)
"""Of DIV2K, in RGB, as the authors subtract it; of one channel, its mean."""
BLOCKS = 6


def mean_of(channels: int) -> tuple[float, ...]:
    """What is subtracted from images of so many channels."""
    return MEAN if channels == len(MEAN) else (sum(MEAN) / len(MEAN),) * channels


class SPAN(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W), nominally in [0, 1].

    Swift Parameter-free Attention Network (Wan et al., CVPR Workshops 2024), in its re-parameterised form: what the
    authors train as several branches is one 3x3 convolution here, in training too. Six blocks; the features after the
    first convolution, the first block, the sixth block's first activation and a last convolution are fused by 1x1, and
    enlarged by a pixel shuffle. 410,700 parameters at 48 channels and x2, 426,288 at x4.

    Args:
        width: channels of the features; the published files have 48 and 52.
        centred: subtract the mean of DIV2K and work on a range of 255, as the authors do; off, take images as they are.
    """

    keeps_colors = True

    def __init__(
        self, *, in_channels: int = 3, out_channels: int = 3, width: int = 48, scale: int = 4, centred: bool = True
    ) -> None:
        super().__init__()
        for name, value in (
            ("in_channels", in_channels), ("out_channels", out_channels), ("width", width), ("scale", scale),
        ):  # fmt: skip
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        self.scale, self.centred = scale, centred
        self.mean = mean_of(in_channels)
        if not centred:  # published files of such networks say it so, and nothing else in them does
            self.register_buffer("no_norm", torch.zeros(1))
        self.conv_1 = nn.Conv2d(in_channels, width, 3, padding=1)
        for number in range(1, BLOCKS + 1):
            self.add_module(f"block_{number}", Block(width))
        self.conv_2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_cat = nn.Conv2d(4 * width, width, 1)
        self.upsampler = nn.Conv2d(width, out_channels * scale**2, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W); the output may leave [0, 1]."""
        return self.enlarged_and_tapped(images, 1)[0]

    def enlarged_and_tapped(self, images: Tensor, block: int) -> tuple[Tensor, Tensor]:
        """What `forward` makes of images and, on the way, what `features_until` one of the blocks, 1 to 6, does."""
        first = self.conv_1(self.as_learned(images))  # (B, width, H, W)
        fused, tapped = self.fused_and_tapped(first, block)
        return pixel_shuffle(self.upsampler(fused), self.scale), tapped

    def fused(self, first: Tensor) -> Tensor:
        """The features that are enlarged (B, width, H, W), of what the first convolution found."""
        return self.fused_and_tapped(first, 1)[0]

    def fused_and_tapped(self, first: Tensor, block: int) -> tuple[Tensor, Tensor]:
        """The same, and the features after one of the blocks, 1 to 6."""
        features, inner, kept = first, first, {}
        for number in range(1, BLOCKS + 1):
            features, inner = self.get_submodule(f"block_{number}")(features)
            if number in (1, block):
                kept[number] = features
        return self.conv_cat(torch.cat([first, self.conv_2(features), kept[1], inner], 1)), kept[block]

    def features_until(self, images: Tensor, block: int) -> Tensor:
        """What the blocks up to one of them, 1 to 6, make of images (B, C, H, W) in [0, 1]: (B, width, H, W)."""
        features = self.conv_1(self.as_learned(images))
        for number in range(1, block + 1):
            features, _ = self.get_submodule(f"block_{number}")(features)
        return features

    def as_learned(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] in the range that the network was trained on."""
        return (images - constant(self.mean, images)[:, None, None]) * 255 if self.centred else images


class Block(nn.Module):
    """Three convolutions, x to f, weighed by how strong f is, with its sign: (f + x) * (sigmoid(f) - 1/2).

    The attention has no parameters (section 3.2 of the paper).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c1_r, self.c2_r, self.c3_r = (nn.Conv2d(width, width, 3, padding=1) for _ in range(3))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, width, H, W) to features, and the first activation."""
        inner = silu(self.c1_r(features))
        found = self.c3_r(silu(self.c2_r(inner)))
        return (found + features) * (torch.sigmoid(found) - 0.5), inner

"""A compact network for small photographs to large pictures, of a strength that is chosen."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pixel_shuffle, relu

from toolbox import GradedGenerator, UserError, enlarge_bicubic

from .flatten import flatten


class StyleSRNet(GradedGenerator):
    """Residual blocks at low resolution and a sub-pixel layer, on top of bicubic resizing; strength enters each block.

    The strength is one more input channel, and in every block a factor and an offset for each channel that are linear
    in it (FiLM, Perez et al., 2018) and start at zero. Blocks have no normalisation (EDSR, Lim et al., 2017), so
    absolute colours pass and tiles agree. After the pixel shuffle a last convolution works at high resolution on `fine`
    channels: it smooths the seams between the sub-pixels. It starts at zero, so the network starts as bicubic resizing.
    Before it the activation is leaky: of eight channels with plain ones, all died in a training at rate 1e-3.

    Args:
        flatten: deviation below which the style has flat areas, in proportion to its strength; 0 for none. In training
            nothing is flattened: a network that draws through the filter learns to draw against it.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        width: int = 48,
        blocks: int = 5,
        fine: int = 8,
        scale: int = 4,
        flatten: float = 0.0,
    ) -> None:
        super().__init__()
        if scale not in (1, 2, 4, 8):
            raise UserError(f"scale must be 1, 2, 4 or 8, got {scale}")
        if min(channels, width, fine) < 1 or blocks < 0:
            got = f"{channels}, {width}, {fine}, {blocks}"
            raise UserError(f"channels, width and fine must be above 0 and blocks 0 or more, got {got}")
        if not 0 <= flatten < 1:
            raise UserError(f"flatten must be from 0 to below 1, a deviation of images in [0, 1], got {flatten}")
        self.scale, self.flatten = scale, flatten
        self.first = nn.Conv2d(channels + 1, width, 3, padding=1)
        self.blocks = nn.ModuleList(GradedBlock(width) for _ in range(blocks))
        self.enlarge = nn.Conv2d(width, fine * scale**2, 3, padding=1)
        with torch.no_grad():  # all sub-pixels of a pixel alike at first: no screen door to unlearn (ICNR, Aitken 2017)
            for values in (self.enlarge.weight, self.enlarge.bias):
                values.copy_(values[:: scale**2].repeat_interleave(scale**2, 0))  # pyright: ignore[reportOptionalSubscript, reportOptionalMemberAccess]
        self.last = nn.Conv2d(fine, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, images: Tensor, strength: Tensor | None = None) -> Tensor:
        """Images (B, C, H, W) in [0, 1] and strengths (B,) in [0, 1], 1 by default, to (B, C, scale*H, scale*W)."""
        if strength is None:
            strength = images.new_ones(images.shape[0])
        share = strength.to(images)[:, None, None, None]  # (B, 1, 1, 1)
        features = relu(self.first(torch.cat([images * 2 - 1, share.expand(-1, 1, *images.shape[-2:])], 1)))
        for block in self.blocks:
            features = block(features, share)
        change = self.last(leaky_relu(pixel_shuffle(self.enlarge(features), self.scale), 0.2))
        if self.scale > 1:
            images = enlarge_bicubic(images, self.scale)
        images = images + change
        if self.training or not self.flatten:
            return images
        return torch.lerp(images, flatten(images, self.flatten, scale=self.scale).to(images), share)


class GradedBlock(nn.Module):
    """x + conv(relu(conv(x) * (1 + s*factor) + s*offset)) for a strength s; the second convolution starts small."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.factor, self.offset = (nn.Parameter(torch.zeros(width, 1, 1)) for _ in range(2))
        with torch.no_grad():
            self.conv2.weight.mul_(0.1)

    def forward(self, x: Tensor, share: Tensor) -> Tensor:
        """Features (B, width, H, W) and strengths (B, 1, 1, 1) to features."""
        return x + self.conv2(relu(self.conv1(x) * (1 + share * self.factor) + share * self.offset))

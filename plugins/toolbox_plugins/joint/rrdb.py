"""CycleGAN's network and ESRGAN's in one: stylise small, enlarge, by a strength that is chosen."""

from __future__ import annotations

from math import lcm

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, pixel_unshuffle

from toolbox import GradedGenerator, UserError
from toolbox_plugins.cyclegan.generator import ResnetGenerator
from toolbox_plugins.esrgan.rrdbnet import RRDBNet

SMALLEST = 8
"""Sides below this are continued for ResnetGenerator, whose innermost features need two pixels to be reflected."""


class StyleRRDBNet(GradedGenerator):
    """Images (B, C, H, W) in [0, 1] to (B, C, scale*H, scale*W), stylised by a strength; H, W multiples of `multiple`.

    `style` is CycleGAN's ResnetGenerator (Zhu et al. 2017) at low resolution, whose picture is mixed with its input by
    the strength; `upscaler` is ESRGAN's RRDBNet (Wang et al. 2018) without a change, which enlarges the mixture. So
    published files of both load, as `generator_ab.style` and `generator_ab.upscaler`. `films` lets the upscaler know
    what it is given: behind each of its blocks a factor and an offset for each channel, linear in the strength (FiLM,
    Perez et al. 2018).

    Those are zero at first: the network then equals ESRGAN at strength 0, and ESRGAN after CycleGAN at strength 1.
    28.1 M parameters by default and, from 64x64 pixels, 76.5 G multiply-accumulates: both networks' own, added up.
    Defaults are the papers'; `style_*` are ResnetGenerator's arguments, the others RRDBNet's. With `style_norm:
    instance`, CycleGAN's own, tiles differ from the whole image.

    Raises:
        UserError: one of the two networks refuses its arguments.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        width: int = 64,
        blocks: int = 23,
        growth: int = 32,
        scale: int = 4,
        style_width: int = 64,
        style_blocks: int = 9,
        style_norm: str = "instance",
        style_upsample: str = "transposed",
        style_antialias: bool = False,
    ) -> None:
        super().__init__()
        if channels < 1:
            raise UserError(f"channels must be at least 1, got {channels}")
        try:
            self.style = ResnetGenerator(
                in_channels=channels,
                out_channels=channels,
                width=style_width,
                blocks=style_blocks,
                norm=style_norm,
                upsample=style_upsample,
                antialias=style_antialias,
            )
        except UserError as error:
            raise UserError(f"style_{error}") from None
        self.upscaler = RRDBNet(
            in_channels=channels, out_channels=channels, width=width, blocks=blocks, growth=growth, scale=scale
        )
        self.films = nn.ModuleList(Film(width) for _ in range(blocks))
        self.scale = self.upscaler.scale
        self.multiple = lcm(self.style.multiple, self.upscaler.multiple)

    def forward(self, images: Tensor, strength: Tensor | None = None) -> Tensor:
        """Images (B, C, H, W) in [0, 1] and strengths (B,) in [0, 1], 1 by default, to (B, C, scale*H, scale*W)."""
        if strength is None:
            strength = images.new_ones(images.shape[0])
        share = strength.to(images)[:, None, None, None]  # (B, 1, 1, 1)
        return self.enlarge(torch.lerp(images, self.stylise(images), share), share)

    def stylise(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) as `style` makes them, of the same size and type."""
        height, width = images.shape[-2:]
        if min(height, width) < SMALLEST:
            right, below = max(0, SMALLEST - width), max(0, SMALLEST - height)
            return self.style(pad(images, (0, right, 0, below), mode="replicate"))[..., :height, :width].to(images)
        return self.style(images).to(images)  # within this network, autocast gives another type, and lerp wants one

    def enlarge(self, images: Tensor, share: Tensor) -> Tensor:
        """RRDBNet's `forward` for images (B, C, H, W), with strengths (B, 1, 1, 1) behind each of its blocks."""
        net = self.upscaler
        if net.unshuffle > 1:
            images = pixel_unshuffle(images, net.unshuffle)  # (B, C*u*u, H/u, W/u)
        first = features = net.conv_first(images)  # (B, width, h, w), where h and w are a quarter of the output's
        for block, film in zip(net.body, self.films, strict=True):
            features = film(block(features), share)
        return net.enlarged(first + net.conv_body(features))


class Film(nn.Module):
    """x * (1 + s*factor) + s*offset for a strength s; both are of a channel, and zero at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.factor, self.offset = (nn.Parameter(torch.zeros(width, 1, 1)) for _ in range(2))

    def forward(self, x: Tensor, share: Tensor) -> Tensor:
        """Features (B, width, H, W) and strengths (B, 1, 1, 1) to features of the same type."""
        return x * (1 + share * self.factor).to(x) + (share * self.offset).to(x)

"""UVCGANv2's generator (Torbunov et al. 2023): a U-Net with a transformer in the middle, which styles the way up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Generator, UserError

from .bottleneck import PixelTransformer
from .modulation import ModulatedConv

SLOPE = 0.01
"""Of LeakyReLU below 0, torch's own."""


class UVCGANGenerator(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C', H, W) in [0, 1]; H and W multiples of 2^levels, 16 by default.

    Torbunov et al. 2023: on each level two 3x3 convolutions and a 2x2 one of stride 2; a pixel-wise transformer with
    one more token, whose value is the image's style, and with gains that begin at 0 (Bachlechner et al., 2021);
    nearest-neighbour doubling with a 3x3 convolution on the way up, the features of the way down beside it, and two
    convolutions that the style modulates and that keep their size, as in StyleGAN2 (Karras et al. 2020); no norm; a
    sigmoid. 32,192,231 parameters by default.

    The paper has images of 256x256 alone. Here any size goes, and places are told from -1 to 1 over the image given:
    tiles and other sizes look to the transformer as whole images of the trained size.

    Weights of convolutions begin as He et al. 2015 have them. The authors begin with a network that was trained to fill
    in what is masked; without that, their N(0, 0.02) leaves features of deviation 3e-6 in the middle, and these 4.8
    (measured on noise in [0, 1]), and a small one learns to copy images in 80 steps to 0.13, by these to 0.08.

    Args:
        widths: channels on each level, from the image inwards.
        features: channels of a token; `heads` divide it.
        blocks: of the transformer; `hidden` are the channels inside, `embedding` those that tell the place.

    Raises:
        UserError: a number is below 1, or the heads do not divide the features.
    """

    scale = 1

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        widths: Sequence[int] = (48, 96, 192, 384),
        features: int = 384,
        heads: int = 6,
        blocks: int = 12,
        hidden: int = 1536,
        embedding: int = 384,
    ) -> None:
        super().__init__()
        numbers = {"in_channels": in_channels, "out_channels": out_channels, "features": features, "heads": heads}
        for name, value in {**numbers, "hidden": hidden, "embedding": embedding}.items():
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if not widths or min(widths) < 1 or blocks < 0:
            raise UserError(f"widths must be numbers of 1 or more, and blocks 0 or more, got {list(widths)}, {blocks}")
        if features % heads:
            raise UserError(f"heads must divide features, got {heads} and {features}")
        self.multiple = 2 ** len(widths)
        inner = [widths[0], *widths]
        self.first = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(_two_convolutions(c, d) for c, d in pairwise(inner))
        self.down = nn.ModuleList(nn.Conv2d(d, d, 2, stride=2) for d in widths)
        self.middle = PixelTransformer(
            widths[-1], width=features, heads=heads, blocks=blocks, hidden=hidden, embedding=embedding
        )
        self.up = nn.ModuleList(nn.Conv2d(d, d, 3, padding=1) for d in widths)
        self.decoder = nn.ModuleList(
            nn.ModuleList([ModulatedConv(2 * d, d, features), ModulatedConv(d, c, features)])
            for c, d in pairwise(inner)
        )
        self.last = nn.Conv2d(widths[0], out_channels, 1)
        for conv in (module for module in self.modules() if isinstance(module, nn.Conv2d)):
            nn.init.kaiming_normal_(conv.weight, SLOPE)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Translate images (B, C, H, W) in [0, 1] to (B, C', H, W) in [0, 1]."""
        features, passed = F.leaky_relu(self.first(images), SLOPE), []
        for encode, halve in zip(self.encoder, self.down, strict=True):
            passed.append(encode(features))
            features = halve(passed[-1])  # (B, d, h / 2, w / 2)
        features, style = self.middle(features)
        for widen, decode in zip(reversed(self.up), reversed(self.decoder), strict=True):
            enlarged = widen(F.interpolate(features, scale_factor=2))
            features = torch.cat([enlarged, passed.pop()], 1)  # (B, 2d, h, w)
            for conv in decode:  # pyright: ignore[reportGeneralTypeIssues]
                features = F.leaky_relu(conv(features, style), SLOPE)
        return torch.sigmoid(self.last(features))


def _two_convolutions(channels: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for each in (channels, width):
        layers += [nn.Conv2d(each, width, 3, padding=1), nn.LeakyReLU(SLOPE, inplace=True)]
    return nn.Sequential(*layers)

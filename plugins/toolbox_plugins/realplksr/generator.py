"""RealPLKSR: blocks of two small convolutions and one very large one over a few of the channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Generator, UserError

from .dysample import DySample

GROUPS = 4
"""Of group norm, in every published network."""
UPSAMPLERS = ("shuffle", "dysample")
NORMS = ("group", "layer")


class RealPLKSR(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C, scale*H, scale*W), nominally in [0, 1].

    Partial Large Kernel CNNs for Efficient Super-Resolution (Lee et al. 2024, arXiv 2404.11848), in the form that
    practitioners train: with a norm in each block and Mish between the channel mixer's convolutions. What the blocks
    find is added to the input, each pixel repeated scale² times, and becomes the output by a pixel shuffle or by
    DySample. 7,389,680 parameters by default. Truncated normal weights of deviation 0.02 where the authors have them.

    Group norm looks at the whole image: tiles differ a little from the whole. With `norm="layer"` they do not.

    Args:
        width: channels of the features.
        blocks: 28, and 12 in the small published networks.
        kernel: side of the large kernel, odd: 17, and 13 in the small ones.
        share: which part of the channels the large kernel sees; the others pass by it.
        attention: weigh features by a sigmoid of a 3x3 convolution of themselves.
        norm: `group`, four groups at the end of each block, or `layer`, over the channels at its beginning.
        upsampler: `shuffle` or `dysample`, which samples where it has learned to look.
    """

    keeps_colors = True

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        blocks: int = 28,
        kernel: int = 17,
        share: float = 0.25,
        attention: bool = True,
        norm: str = "group",
        scale: int = 4,
        upsampler: str = "shuffle",
    ) -> None:
        super().__init__()
        sizes = {"in_channels": in_channels, "width": width, "blocks": blocks, "kernel": kernel, "scale": scale}
        for name, value in sizes.items():
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if out_channels != in_channels:
            raise UserError(
                f"out_channels must equal in_channels ({in_channels}), got {out_channels}: the input is added"
            )
        if kernel % 2 == 0:
            raise UserError(f"kernel must be odd, got {kernel}")
        partial = int(width * share + 1e-6)  # or 15 of 49 would be 14
        if not 1 <= partial <= width:
            raise UserError(f"share must leave from 1 to all of {width} channels to the large kernel, got {share}")
        if norm not in NORMS:
            raise UserError(f"norm must be group or layer, got {norm!r}")
        if norm == "group" and width % GROUPS:
            raise UserError(f"width must be a multiple of {GROUPS}, the groups of its norm, got {width}")
        if upsampler not in UPSAMPLERS:
            raise UserError(f"upsampler must be shuffle or dysample, got {upsampler!r}")
        self.scale = scale
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(width, partial, kernel, attention, norm) for _ in range(blocks)))
        self.last = nn.Conv2d(width, out_channels * scale**2, 3, padding=1)
        for conv in (self.first, self.last):
            nn.init.trunc_normal_(conv.weight, std=0.02)
        self.sampler = DySample(out_channels, scale) if upsampler == "dysample" else nn.PixelShuffle(scale)

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images (B, C, H, W) in [0, 1] to (B, C, scale*H, scale*W); the output may leave [0, 1]."""
        found = self.last(self.blocks(self.first(images)))  # (B, C * scale², H, W)
        repeated = [colour for colour in images.split(1, 1) for _ in range(self.scale**2)]
        return self.sampler(found + torch.cat(repeated, 1))


class Block(nn.Module):
    """Channel mixer, large kernel on the first channels, attention, refinement and norm, added to the input."""

    def __init__(self, width: int, partial: int, kernel: int, attention: bool, norm: str) -> None:
        super().__init__()
        self.partial = partial
        self.widen = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.narrow = nn.Conv2d(2 * width, width, 3, padding=1)
        self.large = nn.Conv2d(partial, partial, kernel, padding=kernel // 2)
        self.attention = nn.Conv2d(width, width, 3, padding=1) if attention else None
        self.refine = nn.Conv2d(width, width, 1)
        self.before = ChannelNorm(width) if norm == "layer" else nn.Identity()
        self.after = nn.GroupNorm(GROUPS, width) if norm == "group" else nn.Identity()
        for conv in (self.narrow, self.large, self.attention, self.refine):
            if conv is not None:
                nn.init.trunc_normal_(conv.weight, std=0.02)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, width, H, W)."""
        mixed = self.narrow(F.mish(self.widen(self.before(features))))
        seen, passed = mixed[:, : self.partial], mixed[:, self.partial :]
        mixed = torch.cat([self.large(seen), passed], 1)
        if self.attention is not None:
            mixed = mixed * torch.sigmoid(self.attention(mixed))
        return features + self.after(self.refine(mixed))


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each position, with a gain and a bias for each channel."""

    def __init__(self, width: int, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.epsilon = epsilon

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, width, H, W) to the same, of mean 0 and variance 1 at each position before gain and bias."""
        centred = features - features.mean(1, keepdim=True)
        scaled = centred / (centred.square().mean(1, keepdim=True) + self.epsilon).sqrt()
        return scaled * self.weight[:, None, None] + self.bias[:, None, None]

"""The residual CNN in two halves, for algorithms that meet in a latent space: an encoder and a decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from toolbox import Decoder, Encoder, UserError

from .generator import ResidualBlock

GAIN = 8.0
"""How many times larger than in [-1, 1] colours begin in the code, beside a VAE's noise of deviation 1."""


class ResidualEncoder(Encoder):
    """Images (B, C, H, W) in [0, 1] to a code (B, width, H / shrink, W / shrink).

    A pixel unshuffle, a convolution and residual blocks, without normalisation: absolute colours stay in the code. It
    begins with the pixels themselves in its first channels, so that with `ResidualDecoder` it begins as the identity;
    a short run then learns what differs between domains, not how to paint pixels. Not from a paper.
    """

    def __init__(self, *, channels: int = 3, width: int = 32, blocks: int = 2, shrink: int = 2) -> None:
        super().__init__()
        _check(channels, width, blocks, shrink)
        self.channels, self.shrink, self.multiple = width, shrink, shrink
        self.first = nn.Conv2d(channels * shrink**2, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        _pass_on(self.first, channels * shrink**2, GAIN)

    def forward(self, images: Tensor) -> Tensor:
        """Encode images (B, C, H, W) in [0, 1]."""
        return self.blocks(self.first(pixel_unshuffle(images * 2 - 1, self.shrink)))


class ResidualDecoder(Decoder):
    """A code (B, width, h, w) to images (B, C, shrink*h, shrink*w), in [0, 1]: `ResidualEncoder` backwards."""

    def __init__(self, *, channels: int = 3, width: int = 32, blocks: int = 2, shrink: int = 2) -> None:
        super().__init__()
        _check(channels, width, blocks, shrink)
        self.channels, self.shrink = width, shrink
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.last = nn.Conv2d(width, channels * shrink**2, 3, padding=1)
        _pass_on(self.last, channels * shrink**2, 1 / GAIN)

    def forward(self, code: Tensor) -> Tensor:
        """Decode (B, width, h, w)."""
        return (pixel_shuffle(self.last(self.blocks(code)), self.shrink) + 1) / 2


def _pass_on(convolution: nn.Conv2d, count: int, gain: float) -> None:
    """Let the first `count` channels begin as the input's, times a gain."""
    with torch.no_grad():
        convolution.weight[:count] = 0
        convolution.weight[range(count), range(count), 1, 1] = gain
        if convolution.bias is not None:
            convolution.bias[:count] = 0


def _check(channels: int, width: int, blocks: int, shrink: int) -> None:
    if shrink not in (1, 2, 4):
        raise UserError(f"shrink must be 1, 2 or 4, got {shrink}")
    if channels < 1 or blocks < 0:
        raise UserError(f"channels must be above 0 and blocks 0 or more, got {channels} and {blocks}")
    if width < channels * shrink**2:
        raise UserError(f"width must be {channels * shrink**2} or more, all pixels of a position, got {width}")

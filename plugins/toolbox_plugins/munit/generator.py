"""One of MUNIT's directions as an ordinary image-to-image network, in one style."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import Generator

from .content_encoder import MUNITContentEncoder
from .decoder import MUNITDecoder


class MUNITGenerator(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C', H, W) in [0, 1]; H and W are multiples of 4, at least 8.

    A content encoder and the other domain's decoder, with one style for all images, drawn from N(0, 1) by `seed`: what
    MUNIT's published files compute when they translate. State keys: `enc_content.model...`, `dec.model...` and
    `dec.mlp.model...`.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        downsamplings: int = 2,
        blocks: int = 4,
        style_channels: int = 8,
        style_width: int = 256,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.enc_content = MUNITContentEncoder(
            in_channels=in_channels, width=width, downsamplings=downsamplings, blocks=blocks
        )
        self.dec = MUNITDecoder(
            out_channels=out_channels,
            width=width,
            upsamplings=downsamplings,
            blocks=blocks,
            style_channels=style_channels,
            style_width=style_width,
        )
        self.multiple, self.seed = self.enc_content.multiple, seed
        self.register_buffer("style", drawn_style(seed, style_channels), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Translate images (B, C, H, W) in [0, 1] to (B, C', H, W) in [0, 1]."""
        style: Tensor = self.get_buffer("style")
        return self.dec(self.enc_content(images), style.to(images).expand(images.shape[0], -1))


def drawn_style(seed: int, channels: int) -> Tensor:
    """One style from N(0, 1), (1, channels), on the CPU, so that it is the same for every device."""
    return torch.randn(1, channels, generator=torch.Generator().manual_seed(seed), device="cpu")

"""One of UNIT's directions as an ordinary image-to-image network: an encoder and the other domain's decoder."""

from __future__ import annotations

from torch import Tensor

from toolbox import Generator

from .decoder import UNITDecoder
from .encoder import UNITEncoder


class UNITGenerator(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C', H, W) in [0, 1]; H and W are multiples of 4, at least 8.

    `UNITEncoder` and `UNITDecoder` one after the other, without noise and without a shared block: what UNIT's published
    files compute when they translate. 11.140 M parameters by default. State keys are theirs: `enc.model...`,
    `dec.model...`.
    """

    def __init__(
        self, *, in_channels: int = 3, out_channels: int = 3, width: int = 64, downsamplings: int = 2, blocks: int = 4
    ) -> None:
        super().__init__()
        self.enc = UNITEncoder(in_channels=in_channels, width=width, downsamplings=downsamplings, blocks=blocks)
        self.dec = UNITDecoder(out_channels=out_channels, width=width, upsamplings=downsamplings, blocks=blocks)
        self.multiple = self.enc.multiple

    def forward(self, images: Tensor) -> Tensor:
        """Translate images (B, C, H, W) in [0, 1] to (B, C', H, W) in [0, 1]."""
        return self.dec(self.enc(images))

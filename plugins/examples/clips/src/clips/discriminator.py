"""A discriminator that looks at space and time: a clip of sharp frames that flicker is not real."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolbox import Discriminator


class ClipDiscriminator(Discriminator):
    """Three-dimensional convolutions that halve height and width and keep the frames (PatchGAN's, with time)."""

    def __init__(self, *, channels: int = 3, width: int = 16, layers: int = 2) -> None:
        super().__init__()
        if width < 1 or layers < 1:
            raise ValueError(f"width and layers must be at least 1, got {width} and {layers}")
        self.channels = channels
        body: list[nn.Module] = []
        for i in range(layers):
            before, after = channels if i == 0 else width * 2 ** (i - 1), width * 2**i
            body += [nn.Conv3d(before, after, (3, 4, 4), stride=(1, 2, 2), padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*body, nn.Conv3d(width * 2 ** (layers - 1), 1, 3, padding=1))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Judge clips (B, T, C, H, W) in [0, 1]: logits (B, 1, T, H / 2^layers, W / 2^layers)."""
        return [self.body(images.transpose(1, 2) * 2 - 1)]

    def example_inputs(self) -> tuple[Tensor]:
        """Two clips of three frames: what `plugins check` calls it with."""
        return (torch.rand(2, 3, self.channels, 16, 24),)

"""A generator that is told the wanted domain by planes beside the picture's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from toolbox import Generator


class DomainGenerator(Generator):
    """Encoder, residual blocks, decoder, as StarGAN's (Choi et al. 2018, table 4), smaller and with resize-convolution.

    Untrained it gives the input: what it learns is a change. Without normalisation, so that tiles equal the whole.
    """

    multiple = 4

    def __init__(self, *, domains: int = 2, channels: int = 3, width: int = 32, blocks: int = 4) -> None:
        super().__init__()
        if domains < 2 or width < 1 or blocks < 0:
            raise ValueError(f"domains must be 2 or more, width 1, blocks 0, got {domains}, {width} and {blocks}")
        self.domains = domains
        self.encode = nn.Sequential(
            nn.Conv2d(channels + domains, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList(_Residual(4 * width) for _ in range(blocks))
        self.decode = nn.Sequential(nn.Conv2d(4 * width, 2 * width, 3, padding=1), nn.ReLU())
        self.change = nn.Conv2d(2 * width, channels, 3, padding=1)
        nn.init.normal_(self.change.weight, std=1e-3)
        nn.init.zeros_(self.change.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, images: Tensor, planes: Tensor) -> Tensor:
        """Translate images (B, C, H, W) in [0, 1] to the domain that is 1 in planes (B, domains, H, W), else 0."""
        features = self.encode(torch.cat([images * 2 - 1, planes], 1))  # (B, 4w, H/4, W/4)
        for block in self.blocks:
            features = block(features)
        features = self.decode(interpolate(features, scale_factor=2.0))  # (B, 2w, H/2, W/2)
        return images + self.change(interpolate(features, scale_factor=2.0))  # (B, C, H, W)

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """Two pictures, one for each of the first two domains: what `plugins check` calls it with."""
        planes = torch.eye(self.domains)[:2, :, None, None].expand(-1, -1, 16, 24)
        return torch.rand(2, self.encode[0].in_channels - self.domains, 16, 24), planes  # pyright: ignore


class _Residual(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return features + self.second(self.first(features).relu())

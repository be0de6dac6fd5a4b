"""A network that fills holes: it looks far, but only so far, so that large pictures can be filled in tiles."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from toolbox import Generator


class DilatedFiller(Generator):
    """Dilated convolutions at a quarter of the size (Iizuka et al. 2017, table 1, smaller and without normalisation).

    With `dilations` of 2, 4 and 8 it sees up to 66 pixels to every side.
    """

    multiple = 4

    def __init__(self, *, channels: int = 3, width: int = 32, dilations: tuple[int, ...] = (2, 4, 8)) -> None:
        super().__init__()
        if width < 1 or min(dilations, default=0) < 1:
            raise ValueError(f"width and each of dilations must be 1 or more, got {width} and {list(dilations)}")
        self.channels = channels
        layers: list[nn.Module] = []
        for before, after, stride in ((channels + 1, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2)):
            layers += [nn.Conv2d(before, after, 2 + stride, stride=stride, padding=1), nn.ELU()]
        for dilation in dilations:
            layers += [nn.Conv2d(4 * width, 4 * width, 3, padding=dilation, dilation=dilation), nn.ELU()]
        self.encode = nn.Sequential(*layers)
        self.decode = nn.Sequential(nn.Conv2d(4 * width, 2 * width, 3, padding=1), nn.ELU())
        self.paint = nn.Conv2d(2 * width, channels, 3, padding=1)

    def forward(self, images: Tensor, hole: Tensor) -> Tensor:
        """Fill images (B, C, H, W) in [0, 1] where hole (B, 1, H, W) is 1; the rest is painted too."""
        features = self.encode(torch.cat([images * 2 - 1, hole], 1))  # (B, 4w, H/4, W/4)
        features = self.decode(interpolate(features, scale_factor=2.0))  # (B, 2w, H/2, W/2)
        return (self.paint(interpolate(features, scale_factor=2.0)) + 1) / 2  # (B, C, H, W)

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """Two pictures with a hole in the middle: what `plugins check` calls it with."""
        hole = torch.zeros(2, 1, 32, 40)
        hole[..., 12:20, 16:24] = 1
        return torch.rand(2, self.channels, 32, 40) * (1 - hole), hole

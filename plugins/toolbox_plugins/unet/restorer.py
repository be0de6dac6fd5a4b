"""A small U-Net (Ronneberger et al. 2015) for restoration, which learns the residual (Zhang et al. 2017, DnCNN)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Generator, UserError


class UNetRestorer(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C', H, W), nominally in [0, 1]; H and W are multiples of 2^levels.

    On each of `levels` + 1 levels two 3x3 convolutions with LeakyReLU 0.2, `width` channels on the first and twice as
    many on each further one; 2x2 stride-2 convolutions down; 1x1 convolutions and pixel shuffle up; the features of
    the way down are added. No batch norm, whose statistics would tie an image to its neighbours. The input is added to
    the output, and the last convolution starts at a tenth, so that the untrained network all but returns its input.
    State keys: `conv_first`, `encoder.{i}`, `down.{i}`, `middle`, `up.{i}`, `decoder.{i}`, `conv_last`.
    """

    keeps_colors = True

    scale = 1

    def __init__(self, *, in_channels: int = 3, out_channels: int = 3, width: int = 32, levels: int = 3) -> None:
        super().__init__()
        for name, value in (("in_channels", in_channels), ("width", width), ("levels", levels)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if in_channels not in (1, out_channels):
            raise UserError(
                f"out_channels must equal in_channels ({in_channels}), got {out_channels}: "
                "the input is added to the output (one channel is added to each)"
            )
        self.multiple = 2**levels
        widths = [width * 2**level for level in range(levels + 1)]
        narrow, wide = widths[:-1], widths[1:]
        self.conv_first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.encoder = nn.ModuleList(_two_convolutions(c) for c in narrow)
        self.down = nn.ModuleList(nn.Conv2d(c, d, 2, stride=2) for c, d in zip(narrow, wide, strict=True))
        self.middle = _two_convolutions(widths[-1])
        self.up = nn.ModuleList(nn.Conv2d(d, 4 * c, 1) for c, d in zip(narrow, wide, strict=True))
        self.decoder = nn.ModuleList(_two_convolutions(c) for c in narrow)
        self.conv_last = nn.Conv2d(width, out_channels, 3, padding=1)
        with torch.no_grad():
            self.conv_last.weight.mul_(0.1)
            self.conv_last.bias.zero_()  # pyright: ignore[reportOptionalMemberAccess]

    def forward(self, images: Tensor) -> Tensor:
        """Restore images (B, C, H, W) in [0, 1]; the output (B, C', H, W) may leave [0, 1]."""
        features, passed = self.conv_first(images), []
        for encode, down in zip(self.encoder, self.down, strict=True):
            passed.append(encode(features))
            features = down(passed[-1])  # (B, 2c, h/2, w/2)
        features = self.middle(features)
        for up, decode in zip(reversed(self.up), reversed(self.decoder), strict=True):
            features = decode(F.pixel_shuffle(up(features), 2) + passed.pop())  # (B, c, h, w)
        return images + self.conv_last(features)


def _two_convolutions(width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(2):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers)

"""RRDBNet, ESRGAN's generator: residual-in-residual dense blocks, in the layout of BasicSR's files."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Generator, UserError

UNSHUFFLE = {1: 4, 2: 2}
"""How much smaller the input is folded at a scale, so that the network itself enlarges by 4."""
SCALES = (1, 2, 4, 8)
SHARE = 0.2
"""What each residual is multiplied by before it is added, in a dense block and around three of them."""


class RRDBNet(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W), nominally in [0, 1].

    Wang et al. 2018, sections 3.1 and 4.1: 16,697,987 parameters by default; 6 blocks are Real-ESRGAN's anime network
    (4,467,779). At x2 and x1 the pixels of 2x2 and 4x4 squares are folded into channels first, as in Real-ESRGAN, so
    that H and W must be multiples of 2 and 4. With `fold=False` they are not, and it has one enlargement at x2 and none
    at x1, as in BSRGAN and the community's old files; it takes 4 and 16 times as long then. x8 has three. State keys
    are BasicSR's: `conv_first`, `body.{i}.rdb{1-3}.conv{1-5}`, `conv_body`, `conv_up1`, `conv_up2`, `conv_hr`,
    `conv_last`.

    Initialised as BasicSR does: inside the dense blocks a tenth of Kaiming's normal over the fan-in and biases 0, the
    other convolutions as PyTorch does.
    """

    keeps_colors = True

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        blocks: int = 23,
        growth: int = 32,
        scale: int = 4,
        fold: bool = True,
    ) -> None:
        super().__init__()
        if scale not in SCALES:
            raise UserError(f"scale must be 1, 2, 4 or 8, got {scale}")
        sizes = {"in_channels": in_channels, "out_channels": out_channels, "width": width, "blocks": blocks}
        for name, value in {**sizes, "growth": growth}.items():
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        self.scale = scale
        self.multiple = self.unshuffle = UNSHUFFLE.get(scale, 1) if fold else 1
        self.enlargements = SCALES.index(scale * self.unshuffle)
        self.conv_first = nn.Conv2d(in_channels * self.unshuffle**2, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualInResidualBlock(width, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(width, width, 3, padding=1)
        for number in range(1, self.enlargements + 1):
            self.add_module(f"conv_up{number}", nn.Conv2d(width, width, 3, padding=1))
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, out_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W); the output may leave [0, 1]."""
        if self.unshuffle > 1:
            images = F.pixel_unshuffle(images, self.unshuffle)  # (B, C*u*u, H/u, W/u)
        features = self.conv_first(images)  # (B, width, h, w); h and w are a quarter of the output's at x4
        return self.enlarged(features + self.conv_body(self.body(features)))

    def enlarged(self, features: Tensor) -> Tensor:
        """Features (B, width, h, w) to the output, twice as large with each enlargement."""
        for number in range(1, self.enlargements + 1):
            conv = self.get_submodule(f"conv_up{number}")
            features = F.leaky_relu(conv(F.interpolate(features, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(features), 0.2))


class ResidualInResidualBlock(nn.Module):
    """Three dense blocks, whose result is added to the input (B, width, h, w) by a fifth."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(width, growth)
        self.rdb2 = ResidualDenseBlock(width, growth)
        self.rdb3 = ResidualDenseBlock(width, growth)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, width, h, w)."""
        return features + self.rdb3(self.rdb2(self.rdb1(features))) * SHARE


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each on the input and all results before it; the last is added to the input by a fifth.

    The concatenation grows by one result at a time. Summing the convolution of each part instead, which would spare
    the copies, takes 1.1 to 1.2 times as long in float32 on a CPU.
    """

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(width + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(width + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(width + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(width + 4 * growth, width, 3, padding=1)
        self._initialize()

    @torch.no_grad()
    def _initialize(self) -> None:
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
            nn.init.kaiming_normal_(conv.weight, mode="fan_in")
            conv.weight.mul_(0.1)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, width, h, w)."""
        dense = features
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            dense = torch.cat((dense, F.leaky_relu(conv(dense), 0.2)), 1)  # (B, width + n*growth, h, w)
        return features + self.conv5(dense) * SHARE

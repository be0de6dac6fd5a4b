"""SRResNet without batch norm: SRGAN's generator as BasicSR trains it (its `MSRResNet`)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Generator, UserError

UPSAMPLING = {2: [2], 3: [3], 4: [2, 2], 8: [2, 2, 2]}
"""The pixel shuffles that make up each scale."""


class SRResNet(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W), nominally in [0, 1]; C is C' or 1.

    Ledig et al. 2017, figure 4, with BasicSR's changes: no batch norm, LeakyReLU instead of PReLU, one more 3x3
    convolution after the upsampling, 3x3 instead of 9x9 at both ends, and the bilinearly enlarged input added to the
    output. 1,517,571 parameters by default. State keys are BasicSR's: `conv_first`, `body.{i}.conv1|conv2`, `upconv1`
    (and `upconv2` at x4), `conv_hr`, `conv_last`. Its files exist for x2, x3 and x4; x8 is ours, with an `upconv3`.
    """

    keeps_colors = True

    def __init__(
        self, *, in_channels: int = 3, out_channels: int = 3, width: int = 64, blocks: int = 16, scale: int = 4
    ) -> None:
        super().__init__()
        if scale not in UPSAMPLING:
            raise UserError(f"scale must be 2, 3, 4 or 8, got {scale}")
        for name, value in (("in_channels", in_channels), ("width", width), ("blocks", blocks)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if in_channels not in (1, out_channels):
            raise UserError(
                f"out_channels must equal in_channels ({in_channels}), got {out_channels}: "
                "the enlarged input is added to the output (one channel is added to each)"
            )
        self.scale = scale
        self.conv_first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        for step, factor in enumerate(UPSAMPLING[scale], start=1):
            setattr(self, f"upconv{step}", nn.Conv2d(width, width * factor**2, 3, padding=1))
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, out_channels, 3, padding=1)
        self._initialize()

    @torch.no_grad()
    def _initialize(self) -> None:
        # BasicSR's: Kaiming's normal over the fan-in (slope 0), a tenth of it in every convolution, biases 0. So the
        # untrained network all but returns the bilinearly enlarged input.
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in")
                module.weight.mul_(0.1)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W); the output may leave [0, 1]."""
        features = self.body(F.leaky_relu(self.conv_first(images), 0.1))  # (B, width, H, W)
        for step, factor in enumerate(UPSAMPLING[self.scale], start=1):
            upconv = getattr(self, f"upconv{step}")
            features = F.leaky_relu(F.pixel_shuffle(upconv(features), factor), 0.1)  # (B, width, factor*H, factor*W)
        output = self.conv_last(F.leaky_relu(self.conv_hr(features), 0.1))  # (B, C', scale*H, scale*W)
        return output + F.interpolate(images, scale_factor=self.scale, mode="bilinear", align_corners=False)


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, added to the input (B, width, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, width, H, W)."""
        return features + self.conv2(F.relu(self.conv1(features)))

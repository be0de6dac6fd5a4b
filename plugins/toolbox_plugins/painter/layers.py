"""The convolutions and residual blocks that a painter is made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import relu

from .norm import Statistics, StyledNorm


class StyledBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), as in Johnson et al., 2016, with a style's own norms."""

    def __init__(self, width: int, styles: int, *, normed: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = (padded_convolution(width, width) for _ in range(2))
        self.norm1, self.norm2 = (StyledNorm(width, styles, normed=normed) for _ in range(2))

    def forward(self, features: Tensor, shares: Tensor, statistics: Statistics) -> Tensor:
        """Features (B, width, H, W) and shares (B, styles) to features."""
        inner = relu(self.norm1(self.conv1(features), shares, statistics))
        return features + self.norm2(self.conv2(inner), shares, statistics)


def padded_convolution(channels: int, width: int, kernel: int = 3) -> nn.Conv2d:
    """A convolution that keeps the size; borders are continued by their last pixel, so that no frame is drawn there."""
    return nn.Conv2d(channels, width, kernel, padding=kernel // 2, padding_mode="replicate")

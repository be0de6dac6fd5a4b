"""MUNIT's style encoder (Huang et al. 2018, appendix B.1)."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import StyleEncoder, UserError
from toolbox_plugins.unit.layers import ConvBlock, check_sizes, initialize


class MUNITStyleEncoder(StyleEncoder):
    """Images (B, C, H, W) in [0, 1], of any size from 16 pixels, to styles (B, style_channels).

    Huang et al. 2018, appendix B.1: c7s1-64, d128, d256, d256, d256, the mean over positions, and a 1x1 convolution;
    reflection padding, ReLU, and no norm, which would take the style out. 2.765 M parameters by default. Works on
    [-1, 1] and converts. State keys follow the official code's without `enc_style.`: `model.{0-4}.conv`, `model.6`;
    they are not verified against one of its files.
    """

    def __init__(
        self, *, in_channels: int = 3, width: int = 64, downsamplings: int = 4, style_channels: int = 8
    ) -> None:
        super().__init__()
        check_sizes(in_channels=in_channels, width=width, downsamplings=downsamplings, style_channels=style_channels)
        self.style_channels, self.smallest = style_channels, max(4, 2**downsamplings)
        layers: list[nn.Module] = [ConvBlock(in_channels, width, 7, padding=3, activation=nn.ReLU())]
        channels = width
        for halving in range(downsamplings):
            wider = 2 * channels if halving < 2 else channels
            layers += [ConvBlock(channels, wider, 4, stride=2, padding=1, activation=nn.ReLU())]
            channels = wider
        self.model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, style_channels, 1))
        initialize(self, "kaiming")

    def forward(self, images: Tensor) -> Tensor:
        """Encode images (B, C, H, W) in [0, 1] as styles (B, style_channels).

        Raises:
            UserError: the images are too small.
        """
        height, width = images.shape[-2:]
        if min(height, width) < self.smallest:
            raise UserError(f"MUNITStyleEncoder sees a style in {self.smallest} pixels each way, got {width}x{height}")
        return self.model(images * 2 - 1).flatten(1)

"""The content encoder of UNIT and MUNIT (Huang et al. 2018, appendix B.1), in the layout of the official files."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import Encoder

from .layers import ConvBlock, ResidualBlocks, check_sizes, initialize


class UNITEncoder(Encoder):
    """Images (B, C, H, W) in [0, 1] to a code (B, 4 * width, H / 4, W / 4); H and W are multiples of 4, at least 8.

    Huang et al. 2018, appendix B.1: c7s1-64, d128, d256 (4x4, stride 2), R256 x `blocks`; instance norm everywhere,
    reflection padding, ReLU. 5.386 M parameters by default. These are the networks of the code that UNIT's authors
    published in 2018; the paper of 2017 has 512 channels and normalises less. Works on [-1, 1] and converts. State keys
    are the official ones without `enc.`: `model.{0,1,2}.conv`, `model.3.model.{0-3}.model.{0,1}.conv`.
    """

    def __init__(self, *, in_channels: int = 3, width: int = 64, downsamplings: int = 2, blocks: int = 4) -> None:
        super().__init__()
        check_sizes(in_channels=in_channels, width=width, downsamplings=downsamplings, blocks=blocks)
        layers: list[nn.Module] = [
            ConvBlock(in_channels, width, 7, padding=3, norm="instance", activation=nn.ReLU()),
        ]
        channels = width
        for _ in range(downsamplings):  # (B, c, h, w) to (B, 2c, h/2, w/2)
            layers += [ConvBlock(channels, 2 * channels, 4, stride=2, padding=1, norm="instance", activation=nn.ReLU())]
            channels *= 2
        self.model = nn.Sequential(*layers, ResidualBlocks(blocks, channels))
        self.channels, self.multiple = channels, 2**downsamplings
        initialize(self, "kaiming")

    def forward(self, images: Tensor) -> Tensor:
        """Encode images (B, C, H, W) in [0, 1] as (B, channels, H / 4, W / 4)."""
        return self.model(images * 2 - 1)

"""UNIT's decoder (Huang et al. 2018, appendix B.1), in the layout of the official files."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import Decoder

from .layers import ConvBlock, ResidualBlocks, check_sizes, initialize


class UNITDecoder(Decoder):
    """A code (B, 4 * width, h, w) to images (B, C, 4h, 4w) in [0, 1].

    Huang et al. 2018, appendix B.1, with instance norm where MUNIT has the adaptive one: R256 x `blocks`, u128, u64
    (nearest x2, 5x5, norm over the whole sample), c7s1-3, tanh; reflection padding. 5.755 M parameters by default, and
    11.140 M with `UNITEncoder`. State keys are the official ones without `dec.`:
    `model.0.model.{0-3}.model.{0,1}.conv`, `model.{2,4}.{conv,norm.gamma,norm.beta}`, `model.5.conv`.
    """

    def __init__(self, *, out_channels: int = 3, width: int = 64, upsamplings: int = 2, blocks: int = 4) -> None:
        super().__init__()
        check_sizes(out_channels=out_channels, width=width, upsamplings=upsamplings, blocks=blocks)
        self.channels = width * 2**upsamplings
        self.model = nn.Sequential(
            ResidualBlocks(blocks, self.channels), *enlarging(self.channels, upsamplings, out_channels)
        )
        initialize(self, "kaiming")

    def forward(self, code: Tensor) -> Tensor:
        """Decode (B, channels, h, w) to images (B, C, 4h, 4w) in [0, 1]."""
        return (self.model(code) + 1) / 2


def enlarging(channels: int, upsamplings: int, out_channels: int) -> list[nn.Module]:
    """The layers after the residual blocks: (B, channels, h, w) to images (B, C, 2^n h, 2^n w) in [-1, 1]."""
    layers: list[nn.Module] = []
    for _ in range(upsamplings):
        layers += [nn.Upsample(scale_factor=2)]
        layers += [ConvBlock(channels, channels // 2, 5, padding=2, norm="layer", activation=nn.ReLU())]
        channels //= 2
    return [*layers, ConvBlock(channels, out_channels, 7, padding=3, activation=nn.Tanh())]

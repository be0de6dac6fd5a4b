"""DAT: groups of blocks that attend to windows and to channels in turn, and an enlargement."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from toolbox import Generator, UserError, constant
from toolbox_plugins.edsr.edsr import DIV2K_MEAN, UPSAMPLING, upsampling

from .attention import ChannelAttention, GatedForward, WindowAttention

SHUFFLED = 64
"""Channels of the features that are enlarged, where it is no single step."""


class DAT(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C, scale*H, scale*W), nominally in [0, 1].

    Dual Aggregation Transformer for Image Super-Resolution (Chen et al., ICCV 2023): blocks attend within windows, wide
    and tall side by side and shifted every second time, and between channels in turn, each beside a depthwise
    convolution; a gated network of two layers follows each. By default DAT-light: 572,766 parameters at x4, as there;
    DAT has a width of 180, depths and heads of six times 6, windows of 8x32, expansion 4, one convolution and no
    `direct`. Without the stochastic depth of the authors' training.

    Channels are weighed and attended to over the whole image, so tiles differ a little from the whole. Scores of
    attention overflow in half precision, so it stays in float32.

    Args:
        width: channels of the features.
        depths: blocks of each group.
        heads: of attention, for each group: even, as half of them have wide windows; `width` is a multiple of each.
        window: sides of a window, the shorter first; images are padded inside to multiples of the longer.
        expansion: how many times as wide the network after attention is, before its gate.
        bias: whether queries, keys and values have one.
        convolutions: 1, or 3 with a bottleneck, after each group and all of them.
        direct: enlarge by one convolution and pixel shuffle; off, by several at 64 channels.
    """

    keeps_colors = True
    supports_half = False

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 60,
        depths: Sequence[int] = (18,),
        heads: Sequence[int] = (6,),
        window: Sequence[int] = (8, 32),
        expansion: float = 2.0,
        bias: bool = True,
        convolutions: int = 3,
        scale: int = 4,
        direct: bool = True,
    ) -> None:
        super().__init__()
        if scale not in UPSAMPLING:
            raise UserError(f"scale must be 1, 2, 3, 4 or 8, got {scale}")
        if out_channels != in_channels:
            raise UserError(f"out_channels must equal in_channels ({in_channels}), got {out_channels}")
        if len(depths) != len(heads) or not depths or min(depths) < 1:
            raise UserError(f"depths and heads want a number for each group, got {list(depths)} and {list(heads)}")
        if any(number < 2 or number % 2 or width % number for number in heads) or width < 32:
            raise UserError(f"heads must be even and divide a width of at least 32 ({width}), got {list(heads)}")
        if len(window) != 2 or min(window) < 2 or max(window) % min(window):
            raise UserError(f"window wants two sides, the longer a multiple of the shorter, got {list(window)}")
        if convolutions not in (1, 3):
            raise UserError(f"convolutions must be 1 or 3, got {convolutions}")
        if expansion <= 0 or int(width * expansion) % 2:
            raise UserError(f"expansion must make an even number of channels of {width}, got {expansion}")
        self.scale, self.direct = scale, direct
        self.mean = DIV2K_MEAN if in_channels == len(DIV2K_MEAN) else (0.0,) * in_channels
        self.conv_first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.before_RG = nn.Sequential(nn.Identity(), nn.LayerNorm(width))
        self.layers = nn.ModuleList(
            Group(width, number, depth, each, window, expansion, bias, convolutions)
            for number, (depth, each) in enumerate(zip(depths, heads, strict=True))
        )
        self.norm = nn.LayerNorm(width)
        self.conv_after_body = after(width, convolutions)
        if direct:
            self.upsample = nn.Sequential(
                nn.Conv2d(width, out_channels * scale**2, 3, padding=1), nn.PixelShuffle(scale)
            )
        else:
            self.conv_before_upsample = nn.Sequential(nn.Conv2d(width, SHUFFLED, 3, padding=1), nn.LeakyReLU(0.01))
            self.upsample = upsampling(SHUFFLED, scale)
            self.conv_last = nn.Conv2d(SHUFFLED, out_channels, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge images (B, C, H, W) in [0, 1] to (B, C, scale*H, scale*W); the output may leave [0, 1]."""
        mean = constant(self.mean, images)[:, None, None]
        first = self.conv_first(images - mean)  # (B, width, H, W)
        found = self.before_RG(first.movedim(1, -1))  # (B, H, W, width), as everywhere between here and the norm
        for group in self.layers:
            found = group(found)
        features = first + self.conv_after_body(self.norm(found).movedim(-1, 1))
        if self.direct:
            return self.upsample(features) + mean
        return self.conv_last(self.upsample(self.conv_before_upsample(features))) + mean


class Group(nn.Module):
    """Blocks and convolutions, added to the features (B, H, W, width)."""

    def __init__(
        self,
        width: int,
        number: int,
        depth: int,
        heads: int,
        window: Sequence[int],
        expansion: float,
        bias: bool,
        convolutions: int,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(width, heads, window, expansion, bias, channels=bool(index % 2), shifted=shifted(number, index))
            for index in range(depth)
        )
        self.conv = after(width, convolutions)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, H, W, width)."""
        found = features
        for block in self.blocks:
            found = block(found)
        return features + self.conv(found.movedim(-1, 1)).movedim(1, -1)


class Block(nn.Module):
    """Attention and a gated network, each after a norm and added to the features (B, H, W, width)."""

    def __init__(
        self,
        width: int,
        heads: int,
        window: Sequence[int],
        expansion: float,
        bias: bool,
        *,
        channels: bool,
        shifted: bool,
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = (
            ChannelAttention(width, heads, bias) if channels else WindowAttention(width, heads, bias, window, shifted)
        )
        self.ffn = GatedForward(width, int(width * expansion))

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, H, W, width)."""
        features = features + self.attn(self.norm1(features))
        return features + self.ffn(self.norm2(features))


def shifted(group: int, block: int) -> bool:
    """Whether a block's windows are shifted: every second of those with windows, beginning anew in each group."""
    return block % 4 == (0 if group % 2 else 2)


def after(width: int, convolutions: int) -> nn.Module:
    """What follows a group of blocks: one convolution, or three with a quarter of the channels between."""
    if convolutions == 1:
        return nn.Conv2d(width, width, 3, padding=1)
    inner = width // 4
    return nn.Sequential(
        nn.Conv2d(width, inner, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(inner, inner, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(inner, width, 3, padding=1),
    )

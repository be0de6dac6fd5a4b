"""MUNIT's decoder (Huang et al. 2018, appendix B.1): the style sets the statistics of the content's features."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import Decoder
from toolbox_plugins.unit.decoder import enlarging
from toolbox_plugins.unit.layers import ConvBlock, check_sizes, initialize


class MUNITDecoder(Decoder):
    """A content code (B, 4 * width, h, w) and a style (B, style_channels) to images (B, C, 4h, 4w) in [0, 1].

    Huang et al. 2018, appendix B.1: R256 x `blocks` with adaptive instance norm, u128, u64 (nearest x2, 5x5, norm over
    the whole sample), c7s1-3, tanh; reflection padding. Three linear layers make a shift and a factor for each channel
    of each adaptive norm from the style (section 5.1). 6.875 M parameters by default. State keys follow the official
    code's without `dec.` for `model...` (they are UNIT's) and with `mlp.model.{0-2}.fc`; the latter's keys, and the
    order of what it gives (the shifts of a norm, then its factors), are not verified against one of its files.
    """

    def __init__(
        self,
        *,
        out_channels: int = 3,
        width: int = 64,
        upsamplings: int = 2,
        blocks: int = 4,
        style_channels: int = 8,
        style_width: int = 256,
    ) -> None:
        super().__init__()
        check_sizes(out_channels=out_channels, width=width, upsamplings=upsamplings, blocks=blocks)
        check_sizes(style_channels=style_channels, style_width=style_width)
        self.channels, self.style_channels, self.blocks = width * 2**upsamplings, style_channels, blocks
        painting = enlarging(self.channels, upsamplings, out_channels)
        self.model = nn.ModuleList([AdaptiveBlocks(blocks, self.channels), *painting])
        self.mlp = Perceptron(style_channels, style_width, blocks * 2 * 2 * self.channels)
        initialize(self, "kaiming")

    def forward(self, code: Tensor, style: Tensor) -> Tensor:
        """Decode (B, channels, h, w) with styles (B, style_channels) to images (B, C, 4h, 4w) in [0, 1]."""
        statistics = self.mlp(style).view(style.shape[0], self.blocks, 2, 2, self.channels, 1, 1)
        blocks, *painting = self.model
        images = blocks(code, statistics)
        for layer in painting:
            images = layer(images)
        return (images + 1) / 2


class AdaptiveBlock(nn.Module):
    """A residual block of two 3x3 convolutions whose instance norms take their shift and factor from outside."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.ModuleList(ConvBlock(channels, channels, 3, padding=1) for _ in range(2))
        self.normalize = nn.InstanceNorm2d(channels)

    def forward(self, features: Tensor, statistics: Tensor) -> Tensor:
        """Refine features (B, c, h, w); statistics (B, 2, 2, c, 1, 1): for each convolution a shift and a factor."""
        refined = features
        for number, convolution in enumerate(self.model):
            shift, factor = statistics[:, number].unbind(1)
            refined = self.normalize(convolution(refined)) * factor + shift
            refined = refined.relu() if number == 0 else refined
        return features + refined


class AdaptiveBlocks(nn.Module):
    """Adaptive residual blocks one after the other, as `model.0`, `model.1`, and so on."""

    def __init__(self, count: int, channels: int) -> None:
        super().__init__()
        self.model = nn.ModuleList(AdaptiveBlock(channels) for _ in range(count))

    def forward(self, features: Tensor, statistics: Tensor) -> Tensor:
        """Refine features (B, c, h, w) with statistics (B, count, 2, 2, c, 1, 1)."""
        for number, block in enumerate(self.model):
            features = block(features, statistics[:, number])
        return features


class Perceptron(nn.Module):
    """Three linear layers with ReLU between, as `model.{0-2}.fc`."""

    def __init__(self, into: int, width: int, out: int) -> None:
        super().__init__()
        sizes = ((into, width), (width, width), (width, out))
        self.model = nn.ModuleList(nn.ModuleDict({"fc": nn.Linear(*size)}) for size in sizes)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, into) to (B, out)."""
        for number, layer in enumerate(self.model):
            vectors = layer["fc"](vectors if number == 0 else vectors.relu())  # pyright: ignore[reportIndexIssue]
        return vectors

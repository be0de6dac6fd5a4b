"""Johnson's network with conditional instance norm: a style is a scale and an offset for each channel of each norm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from toolbox import Generator, UserError
from toolbox_plugins.cyclegan.resampling import enlarged_convolution
from toolbox_plugins.painter.generator import check_styles
from toolbox_plugins.painter.norm import Moments, Statistics, StyledNorm, with_more_styles

KERNEL = 9
"""Of the first and the last convolution."""


class MultiStyleNet(Generator):
    """Images (B, 3, H, W) in [0, 1] to (B, 3, H, W) in [0, 1] in one of N styles, or a mixture; H, W multiples of 4.

    A Learned Representation for Artistic Style (Dumoulin et al., ICLR 2017), table 1: `TransformNet` with conditional
    instance norm behind every convolution and a sigmoid at the end; reflection padding, nearest-neighbour enlargement.
    1,674,432 parameters are shared by default, and a style has 3,206 of its own. Convolutions have no bias, which the
    norms would take away. Weights begin as PyTorch's; the paper's normal of 0.01 is nearly the same behind a norm.

    Statistics are those of the image given, or of a whole picture by `survey`, so that its tiles agree.

    Args:
        styles: their names.
        width: channels at full size; 4 times as many where the blocks are.
        blocks: residual blocks.
        trains: `all`, or `styles` alone, their scales and offsets, which teaches a trained network a new one (section
            3.2). Weights of a network with fewer styles load as those of the first.

    Raises:
        UserError: an argument is out of range, or two styles have one name.
    """

    scale = 1
    multiple = 4

    def __init__(self, *, styles: Sequence[str], width: int = 32, blocks: int = 5, trains: str = "all") -> None:
        super().__init__()
        self.styles = check_styles(styles)
        if width < 1 or blocks < 0:
            raise UserError(f"width must be at least 1 and blocks 0 or more, got {width} and {blocks}")
        if trains not in ("all", "styles"):
            raise UserError(f"trains must be all or styles, got {trains!r}")
        count = len(self.styles)
        self.down = nn.ModuleList([
            Styled(3, width, count, kernel=KERNEL), Styled(width, 2 * width, count, stride=2),
            Styled(2 * width, 4 * width, count, stride=2),
        ])  # fmt: skip
        self.blocks = nn.ModuleList(
            nn.ModuleList(Styled(4 * width, 4 * width, count) for _ in range(2)) for _ in range(blocks)
        )
        self.up = nn.ModuleList(
            [StyledEnlarging(4 * width, 2 * width, count), StyledEnlarging(2 * width, width, count)]
        )
        self.last = Styled(width, 3, count, kernel=KERNEL)
        if trains == "styles":
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    module.requires_grad_(False)

    @classmethod
    def example_arguments(cls) -> dict[str, Any]:
        """A small one of two styles."""
        return {"styles": ["first", "second"], "width": 8, "blocks": 1}

    def forward(
        self, images: Tensor, style: Tensor | None = None, statistics: Sequence[Moments] | None = None
    ) -> Tensor:
        """Paint images (B, 3, H, W) in [0, 1]; the result is in [0, 1].

        Args:
            style: (B, styles), shares that add up to 1; without it the first style.
            statistics: what `survey` gave for the whole picture.
        """
        return self.paint(images, style, Statistics(statistics))

    @torch.no_grad()
    def survey(self, images: Tensor, style: Tensor | None = None) -> list[Moments]:
        """The statistics of whole images (B, 3, H, W) in a style: what `forward` takes for their tiles."""
        statistics = Statistics()
        self.paint(images, style, statistics)
        return statistics.found

    def fitted(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Weights of a network with fewer styles are those of the first ones; a new style begins as their mean."""
        return with_more_styles(self, state)

    def paint(self, images: Tensor, style: Tensor | None, statistics: Statistics) -> Tensor:
        """The picture in the shares of styles, by statistics that are measured or given."""
        if style is None:
            style = torch.eye(1, len(self.styles), device=images.device)
        shares = style.float().expand(images.shape[0], -1)
        features = images * 2 - 1
        for layer in self.down:
            features = relu(layer(features, shares, statistics))
        for block in self.blocks:
            first, second = block  # pyright: ignore[reportGeneralTypeIssues]
            features = features + second(relu(first(features, shares, statistics)), shares, statistics)
        for layer in self.up:
            features = relu(layer(features, shares, statistics))
        return torch.sigmoid(self.last(features, shares, statistics))


class Styled(nn.Module):
    """A convolution with reflection padding, and a norm with each style's own scale and offset."""

    def __init__(self, channels: int, width: int, styles: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(kernel // 2)
        self.conv = nn.Conv2d(channels, width, kernel, stride, bias=False)
        self.norm = StyledNorm(width, styles)

    def forward(self, features: Tensor, shares: Tensor, statistics: Statistics) -> Tensor:
        """Features (B, c, h, w) and shares (B, styles) to features (B, width, h / stride, w / stride)."""
        return self.norm(self.conv(self.pad(features)), shares, statistics)


class StyledEnlarging(Styled):
    """The same behind a nearest-neighbour x2."""

    def forward(self, features: Tensor, shares: Tensor, statistics: Statistics) -> Tensor:
        """Features (B, c, h, w) and shares (B, styles) to features (B, width, 2h, 2w)."""
        return self.norm(enlarged_convolution(features, self.conv.weight), shares, statistics)

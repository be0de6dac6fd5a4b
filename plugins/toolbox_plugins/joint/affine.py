"""Published super-resolution and, for the style, local affine maps of its colours."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, relu

from toolbox import GradedGenerator, UserError
from toolbox_plugins.span.generator import BLOCKS, SPAN

from .flatten import flatten

CURVE = 16
"""Hidden channels of the curve that all pixels share."""


class AffineSPAN(GradedGenerator):
    """Images (B, 3, H, W) in [0, 1] to (B, 3, scale*H, scale*W): enlarged at strength 0, recoloured as well at 1.

    `upscaler` is SPAN (Wan et al., 2024), which keeps its published weights: it is never trained here. For the style,
    residual blocks at low resolution give each small pixel an affine map of colours, three by four numbers, which is
    enlarged bilinearly and applied to the enlarged picture (bilateral learning, Gharbi et al., 2017, without the
    grid), on top of one curve for all pixels. Such maps draw no line of their own: every edge is the photograph's, and
    no grid or screen door can appear. For palettes, tones, light and film stocks; strokes are `StyleSPAN`'s.

    No statistics are taken of the picture, so tiles agree. It starts as super-resolution alone.

    Args:
        width: channels of the blocks at low resolution.
        blocks: how many of them.
        tap: the block of the upscaler whose features they see, 1 to 6.
        flatten: deviation below which the style has flat areas, in proportion to the strength; 0 for none. In training
            nothing is flattened, as in `StyleSRNet`.
        upscaler_width: channels of the upscaler; published files have 48 and 52.

    Raises:
        UserError: an argument is out of range.
    """

    def __init__(
        self,
        *,
        width: int = 48,
        blocks: int = 4,
        tap: int = 2,
        scale: int = 4,
        flatten: float = 0.0,
        upscaler_width: int = 52,
    ) -> None:
        super().__init__()
        if scale not in (1, 2, 4, 8):
            raise UserError(f"scale must be 1, 2, 4 or 8, got {scale}")
        if min(width, upscaler_width) < 1 or blocks < 0 or not 1 <= tap <= BLOCKS:
            got = f"{width}, {upscaler_width}, {blocks}, {tap}"
            raise UserError(
                f"width and upscaler_width must be above 0, blocks 0 or more and tap from 1 to {BLOCKS}, got {got}"
            )
        if not 0 <= flatten < 1:
            raise UserError(f"flatten must be from 0 to below 1, a deviation of images in [0, 1], got {flatten}")
        self.scale, self.tap, self.flatten = scale, tap, flatten
        self.upscaler = SPAN(width=upscaler_width, scale=scale).requires_grad_(False)
        self.first = _convolution(3 + upscaler_width, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.maps = _convolution(width, 12)
        self.curve = nn.ModuleList([nn.Conv2d(3, CURVE, 1), nn.Conv2d(CURVE, 3, 1)])
        for last in (self.maps, self.curve[1]):  # nothing is recoloured at first
            for values in last.parameters():
                nn.init.zeros_(values)

    @classmethod
    def example_arguments(cls) -> dict[str, Any]:
        """A small one."""
        return {"width": 8, "blocks": 1, "upscaler_width": 8}

    def forward(self, images: Tensor, strength: Tensor | float | None = None) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] to (B, 3, scale*H, scale*W) float32, nominally in [0, 1].

        Args:
            strength: (B,) in [0, 1], by default 1. The number 0 is that of all, and no map is asked for.
        """
        if isinstance(strength, (int, float)):
            if strength == 0:
                return self.upscaler(images).float()
            strength = images.new_full((images.shape[0],), strength)
        with torch.no_grad():
            large, features = self.upscaler.enlarged_and_tapped(images, self.tap)
        painted = self.recoloured(large.float(), self.colour_maps(images, features))
        if strength is None:
            return painted
        return torch.lerp(large.float(), painted, strength.float()[:, None, None, None])

    def colour_maps(self, images: Tensor, features: Tensor) -> Tensor:
        """Affine maps (B, 12, H, W), float32, of small images (B, 3, H, W) and the upscaler's features of them."""
        found = relu(self.first(torch.cat([images * 2 - 1, (features / 255).to(images)], 1)))
        for block in self.blocks:
            found = block(found)
        return self.maps(found).float()

    def recoloured(self, large: Tensor, maps: Tensor) -> Tensor:
        """Large images (B, 3, scale*H, scale*W) in [0, 1] under maps (B, 12, H, W), flattened where that is wanted."""
        colours = large * 2 - 1
        if self.scale > 1:
            maps = interpolate(maps, scale_factor=self.scale, mode="bilinear", align_corners=False)
        matrix, offset = maps[:, :9].unflatten(1, (3, 3)), maps[:, 9:]
        bent = self.curve[1](leaky_relu(self.curve[0](colours), 0.2)).float()
        painted = large + bent + (matrix * colours[:, None]).sum(2) + offset
        if self.training or not self.flatten:
            return painted
        return flatten(painted, self.flatten, scale=self.scale)


class _Block(nn.Module):
    """x + conv(relu(conv(x))), whose second convolution starts small."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (_convolution(width, width) for _ in range(2))
        with torch.no_grad():
            self.conv2.weight.mul_(0.1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, width, H, W) to features."""
        return features + self.conv2(relu(self.conv1(features)))


def _convolution(channels: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, padding=1, padding_mode="replicate")

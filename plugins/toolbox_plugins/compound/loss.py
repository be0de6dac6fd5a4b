"""What a picture that moves a little becomes shall be the old result, moved: no flicker, learned without a video."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from toolbox import Loss, UserError
from toolbox_plugins.matching.warping import enlarged, inside, warp

CELL = 32
"""Pixels between the points of the coarse grids that bend and shade a picture."""


class CompoundRegularization(Loss):
    """(F(W(x) + D) - W(F(x)))^2 for a random motion W and a random disturbance D of the picture x; a scalar.

    Compound Regularization (Wang et al., 2020, section 3): regularising against motion, F(W(x)) = W(F(x)), and against
    noise, F(x + D) = F(x), each for itself leaves flicker that both together do not. It needs no video and no optical
    flow, and costs one more pass of the network; gradients go to both. The mean is over pixels that are in both views.

    For the role `temporal`, which gives the network's call, a picture, and what the network made of it. Each picture
    moves in its own way, by whole pixels and a smooth bending, drawn from torch's global random state. Of a network
    that enlarges, the result moves by so much more.

    Args:
        shift: largest step along either axis, in whole pixels of the picture.
        bend: deviation of further steps at the points of a coarse grid, in pixels; between them it is two thirds. They
            are interpolated (bicubically), which wears fine patterns a little; 0 for none.
        noise: largest deviation of Gaussian noise, images in [0, 1]; each picture has its own.
        light: largest change of a smooth field of brightness, images in [0, 1]. What is asked for is a result that does
            not follow it: for painters. An enlarger should follow: leave it at 0 there.
        squared: the paper's square; false is the absolute difference, which large errors rule less.

    Raises:
        UserError: an argument is below 0, or all are 0.
    """

    def __init__(
        self, *, shift: int = 10, bend: float = 1.0, noise: float = 0.03, light: float = 0.0, squared: bool = True
    ) -> None:
        super().__init__()
        values = {"shift": shift, "bend": bend, "noise": noise, "light": light}
        for name, value in values.items():
            if not 0 <= value < float("inf"):
                raise UserError(f"{name} must be 0 or more, got {value}")
        if not any(values.values()):
            raise UserError("shift, bend, noise and light are all 0: nothing is asked for; leave the loss out")
        self.shift, self.bend, self.noise, self.light, self.squared = shift, bend, noise, light, squared

    @classmethod
    def example_inputs(cls) -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor]:
        """A call, a picture and a result that has nothing to do with it."""
        return torch.square, torch.rand(2, 3, 24, 32), torch.rand(2, 3, 24, 32)

    def forward(self, again: Callable[[Tensor], Tensor], images: Tensor, made: Tensor) -> Tensor:
        """`again(images)` would be `made`: pictures (B, C, H, W) in [0, 1], and results (B, C', scale*H, scale*W)."""
        flow = self.motion(images)
        moved = self.disturbed(warp(images, flow, mode="bicubic", padding="reflection"))
        scale = made.shape[-1] // images.shape[-1]
        flow = enlarged(flow, scale)
        off = (again(moved.clamp(0, 1)).float() - warp(made.float(), flow, mode="bicubic")) * (seen := inside(flow))
        off = off.square() if self.squared else off.abs()
        return off.mean() / seen.mean().clamp(min=0.05)

    def motion(self, images: Tensor) -> Tensor:
        """A flow (B, 2, H, W) in pixels of the images."""
        count, _, height, width = images.shape
        place: dict[str, Any] = {"device": images.device, "dtype": torch.float32}
        step = torch.randint(-self.shift, self.shift + 1, (count, 2, 1, 1), **place).expand(-1, -1, height, width)
        return step + self.bend * smooth(torch.randn(count, 2, *cells(images), **place), height, width)

    def disturbed(self, images: Tensor) -> Tensor:
        """Images with noise and light of their own, which is D."""
        count, _, height, width = images.shape
        deviation = self.noise * torch.rand(count, 1, 1, 1, device=images.device)
        images = images + deviation * torch.randn_like(images)
        shade = 2 * torch.rand(count, 1, *cells(images), device=images.device) - 1
        return images + self.light * smooth(shade, height, width)


def cells(images: Tensor) -> tuple[int, int]:
    """Points of a coarse grid over images (B, C, H, W), one more than cells."""
    height, width = images.shape[-2:]
    return -(-height // CELL) + 1, -(-width // CELL) + 1


def smooth(points: Tensor, height: int, width: int) -> Tensor:
    """Values (B, C, h, w) at the points of a coarse grid, over all pixels: (B, C, height, width)."""
    fine = interpolate(points, (height, width), mode="bilinear", align_corners=True)
    side = CELL // 2 + 1
    return avg_pool2d(fine, side, stride=1, padding=side // 2, count_include_pad=False)

"""Adaptive discriminator augmentation."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch import distributed as dist

from toolbox.augmentation import Augmentation
from toolbox.errors import UserError
from toolbox.gan_variant import Logits

from .diff_augment import shifts
from .geometry import affine, at, mirrored


class ADA(Augmentation):
    """Augments with a probability that follows how much the discriminator overfits (Karras et al., 2020).

    Each transformation touches each sample with probability `p`. Every `interval` steps p rises if the mean sign of
    the logits of real images is above `target`, else it falls, at a pace of 0 to 1 in `images` images. Pixel moves
    (mirror, quarter turns, shifts of up to an eighth) come first, then one affine change (scale, turn, aspect, shift)
    by bilinear sampling, and with `color` brightness, contrast and saturation. The border is mirrored. Sampled without
    the paper's oversampling filter: a little softer.

    Args:
        color: also change colours; off by default, since a style may be its palette.
        images: the paper's 500,000.
        start: p at the start.
    """

    p: Tensor
    signs: Tensor
    count: Tensor
    steps: Tensor

    def __init__(
        self,
        *,
        target: float = 0.6,
        interval: int = 4,
        images: int = 500_000,
        start: float = 0.0,
        color: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < target < 1 or not 0 <= start <= 1:
            raise UserError(f"target must be between 0 and 1 and start from 0 to 1, got {target} and {start}")
        if interval < 1 or images < 1:
            raise UserError(f"interval and images must be at least 1, got {interval} and {images}")
        self.target, self.interval, self.images, self.changes_color = target, interval, images, color
        self.register_buffer("p", torch.tensor(float(start)))
        for name in ("signs", "count", "steps"):
            self.register_buffer(name, torch.zeros(()))

    def extra_repr(self) -> str:
        """As in the config."""
        return f"target={self.target}, color={self.changes_color}"

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        images = self.move_pixels(images)
        images = affine(images, self.matrices(images))
        return self.change_colors(images) if self.changes_color else images

    def observe(self, real: Logits) -> None:
        """Gather the signs of the logits of real images; after `interval` steps, move p."""
        self.signs += sum(scale.sign().mean() for scale in real) / len(real) * len(real[0])
        self.count += len(real[0])
        self.steps += 1
        due = self.steps >= self.interval  # on the device: no step waits for it
        totals = torch.stack([self.signs, self.count])
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            dist.all_reduce(totals)
        pace = (totals[0] / totals[1] - self.target).sign() * totals[1] / self.images
        self.p.copy_(torch.where(due, self.p + pace, self.p).clamp(0, 1))
        for buffer in (self.signs, self.count, self.steps):
            buffer.mul_(~due)

    def touched(self, images: Tensor) -> Tensor:
        """Which samples a transformation touches, (B,) bool."""
        return torch.rand(len(images), device=images.device) < self.p

    def move_pixels(self, images: Tensor) -> Tensor:
        """Mirror, quarter turns (of square images) and whole shifts."""
        count, _, height, width = images.shape
        y = torch.arange(height, device=images.device)[:, None].expand(height, width)
        x = torch.arange(width, device=images.device)[None, :].expand(height, width)
        mirror = self.touched(images) & (torch.rand(count, device=images.device) < 0.5)
        turn = torch.randint(0, 4 if height == width else 1, (count,), device=images.device) * self.touched(images)
        moves = self.touched(images)
        down, right = (shifts(count, n, 0.125, images) * moves for n in (height, width))
        rows, columns = (place[None].expand(count, -1, -1) for place in (y, x))
        columns = torch.where(mirror[:, None, None], width - 1 - columns, columns)
        if height == width:
            for quarter in (1, 2):  # a half turn is two bits of the same number: 1 -> a quarter, 2 -> a half
                apply = ((turn // quarter) % 2 == 1)[:, None, None]
                turned = (columns, width - 1 - rows) if quarter == 1 else (height - 1 - rows, width - 1 - columns)
                rows, columns = (torch.where(apply, new, old) for new, old in zip(turned, (rows, columns), strict=True))
        rows, columns = rows + down[:, None, None], columns + right[:, None, None]
        return at(images, mirrored(rows, height), mirrored(columns, width))

    def matrices(self, images: Tensor) -> Tensor:
        """Affine matrices (B, 2, 3) from output to input places in pixels; the identity for untouched samples."""
        count, _, height, width = images.shape
        normal = lambda: torch.randn(count, device=images.device) * self.touched(images)  # noqa: E731
        scale, aspect = 2 ** (0.2 * normal()), 2 ** (0.2 * normal())
        angle = (torch.rand(count, device=images.device) * 2 - 1) * math.pi * self.touched(images)
        across, down = 0.125 * width * normal(), 0.125 * height * normal()
        cos, sin = angle.cos(), angle.sin()
        first = torch.stack([cos * scale * aspect, -sin * scale, across], 1)
        second = torch.stack([sin * scale * aspect, cos * scale, down], 1)
        return torch.stack([first, second], 1).to(images.dtype)

    def change_colors(self, images: Tensor) -> Tensor:
        """Brightness, contrast, saturation; deviations as in the paper, on [0, 1]."""
        shape = (-1, 1, 1, 1)
        draw = lambda: (torch.randn(len(images), device=images.device) * self.touched(images)).view(shape)  # noqa: E731
        images = images + 0.1 * draw()
        images = 0.5 + (images - 0.5) * 2 ** (0.5 * draw())
        gray = images.mean(1, keepdim=True)
        return (gray + (images - gray) * 2 ** draw()).to(images.dtype)

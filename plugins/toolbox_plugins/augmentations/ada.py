"""Adaptive discriminator augmentation."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch import distributed as dist

from toolbox import Augmentation, Logits, UserError

from .diff_augment import shifts
from .geometry import affine, at, each_sample, mirrored, with_all_frames


class ADA(Augmentation):
    """Augments with a probability that follows how much the discriminator overfits (Karras et al., 2020).

    Each transformation touches each sample with probability `p`. Every `interval` steps p rises if the mean sign of
    the logits of real images is above `target`, else it falls, at a pace of 0 to 1 in `images` images; signs are
    counted over all ranks. Pixel moves (mirror, quarter turns, shifts of up to an eighth) come first, then one affine
    change (scale, turn, aspect, turn, shift) by bilinear sampling, and with `color` brightness, contrast, inverted
    luma, hue (of three channels) and saturation. The border is mirrored. Sampled without the paper's oversampling
    filter: a little softer.

    Args:
        color: also change colours; off by default, since a style may be its palette.
        interval: discriminator steps between two moves of p; an accumulated micro-batch counts as one.
        images: how many images p takes from 0 to 1; the paper's 500,000.
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
        """(B, ..., C, H, W) to the same shape; the frames of a clip are changed alike."""
        images = with_all_frames(self.move_pixels, images)
        images = with_all_frames(lambda each: affine(each, self.matrices(each)), images)
        return self.change_colors(images) if self.changes_color else images

    def observe(self, real: Logits) -> None:
        """Gather the signs of the logits of real images; after `interval` steps, move p."""
        self.signs += sum(scale.float().sign().mean() for scale in real) / len(real) * len(real[0])
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

    def touched(self, images: Tensor, p: Tensor | None = None) -> Tensor:
        """Which samples a transformation touches, (B,) bool."""
        return torch.rand(len(images), device=images.device) < (self.p if p is None else p)

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
        height, width = images.shape[-2:]
        scale, aspect = 2 ** (0.2 * self.normal(images)), 2 ** (0.2 * self.normal(images))
        either = 1 - (1 - self.p).sqrt()  # of two turns, one or both with probability p
        (cos, sin), (cos2, sin2) = ((a.cos(), a.sin()) for a in (self.angle(images, either) for _ in range(2)))
        moved = self.touched(images)
        right = 0.125 * width * torch.randn(len(images), device=images.device) * moved
        below = 0.125 * height * torch.randn(len(images), device=images.device) * moved
        wide, high = scale * aspect, scale / aspect  # turn @ diag(wide, high) @ turn, at places less the shift
        xx, xy = cos * wide * cos2 - sin * high * sin2, -cos * wide * sin2 - sin * high * cos2
        yx, yy = sin * wide * cos2 + cos * high * sin2, -sin * wide * sin2 + cos * high * cos2
        first = torch.stack([xx, xy, xx * right + xy * below], 1)
        second = torch.stack([yx, yy, yx * right + yy * below], 1)
        return torch.stack([first, second], 1).to(images.dtype)

    def normal(self, images: Tensor) -> Tensor:
        """Normal draws (B,), 0 for untouched samples."""
        return torch.randn(len(images), device=images.device) * self.touched(images)

    def angle(self, images: Tensor, p: Tensor | None = None) -> Tensor:
        """Angles (B,) of any turn, 0 for untouched samples."""
        return (torch.rand(len(images), device=images.device) * 2 - 1) * math.pi * self.touched(images, p)

    def change_colors(self, images: Tensor) -> Tensor:
        """Brightness, contrast, luma, hue, saturation of (B, ..., C, H, W); deviations as in the paper, on [0, 1]."""
        centered = images - 0.5 + 0.1 * each_sample(self.normal(images), images)
        centered = centered * 2 ** (0.5 * each_sample(self.normal(images), images))
        luma = centered.mean(-3, keepdim=True)
        chroma = centered - luma
        flipped = self.touched(images) & (torch.rand(len(images), device=images.device) < 0.5)
        luma = torch.where(each_sample(flipped, images), -luma, luma)
        if images.shape[-3] == 3:  # a turn about the axis of grays
            angle = each_sample(self.angle(images), images)
            across = (chroma.roll(1, -3) - chroma.roll(-1, -3)) / math.sqrt(3)
            chroma = chroma * angle.cos() + across * angle.sin()
        return (0.5 + luma + chroma * 2 ** each_sample(self.normal(images), images)).to(images.dtype)

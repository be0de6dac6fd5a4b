"""DiffAugment."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import Augmentation, UserError, did_you_mean

from .geometry import with_all_frames

POLICIES = ("color", "translation", "cutout")
GRAY = 0.5


class DiffAugment(Augmentation):
    """Translation, cutout and colour of real and fake in both steps, with fixed strength (Zhao et al., 2020).

    Translation by up to an eighth of the sides, with gray behind; a square of half the sides set to gray (the paper's
    0 on [-1, 1] is 0.5 here); brightness by up to 0.25 (the paper's 0.5), saturation times 0 to 2, contrast times 0.5
    to 1.5, each sample its own.

    Args:
        policy: which of them. Colour is left out by default: where the style is its palette, a discriminator that is
            shown changed colours cannot learn it.
    """

    def __init__(self, *, policy: list[str] | None = None) -> None:
        super().__init__()
        policy = ["translation", "cutout"] if policy is None else policy
        for name in policy:
            if name not in POLICIES:
                raise UserError(f"policy: there is no {name!r}{did_you_mean(name, POLICIES)}; known: {POLICIES}")
        if not policy:
            raise UserError(f"policy names none; leave DiffAugment out, or choose from {', '.join(POLICIES)}")
        self.policy, self.changes_color = tuple(policy), "color" in policy

    def extra_repr(self) -> str:
        """As in the config."""
        return f"policy={list(self.policy)}"

    def forward(self, images: Tensor) -> Tensor:
        """(B, ..., C, H, W) to the same shape; the frames of a clip are changed alike."""
        if "color" in self.policy:
            images = color(images)
        for name, move in (("translation", translation), ("cutout", cutout)):
            if name in self.policy:
                images = with_all_frames(move, images)
        return images


def color(images: Tensor) -> Tensor:
    """Brightness, saturation and contrast of images (B, ..., C, H, W); contrast is about a sample's mean."""
    draw = torch.rand(3, len(images), *[1] * (images.dim() - 1), device=images.device, dtype=images.dtype)
    images = images + (draw[0] - 0.5) / 2
    gray = images.mean(-3, keepdim=True)
    images = gray + (images - gray) * (2 * draw[1])
    middle = images.mean(tuple(range(1, images.dim())), keepdim=True)
    return middle + (images - middle) * (0.5 + draw[2])


def translation(images: Tensor, ratio: float = 0.125) -> Tensor:
    """Move images (B, C, H, W) by whole pixels, each way up to a share of the sides; gray comes in."""
    count, _, height, width = images.shape
    down = shifts(count, height, ratio, images)[:, None] + torch.arange(height, device=images.device)  # (B, H)
    right = shifts(count, width, ratio, images)[:, None] + torch.arange(width, device=images.device)
    inside = ((down >= 0) & (down < height))[:, None, :, None] & ((right >= 0) & (right < width))[:, None, None, :]
    down, right = down.clamp(0, height - 1), right.clamp(0, width - 1)
    sample = torch.arange(count, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[sample, down[:, :, None], right[:, None, :]].permute(0, 3, 1, 2)
    return torch.where(inside, moved, GRAY)


def cutout(images: Tensor, ratio: float = 0.5) -> Tensor:
    """Set a rectangle of a share of the sides of each image (B, C, H, W) to gray; it may stand out at the border."""
    count, _, height, width = images.shape
    kept = []
    for length in (height, width):
        size = int(length * ratio + 0.5)
        middle = torch.randint(0, length + (1 - size % 2), (count, 1), device=images.device)
        place = torch.arange(length, device=images.device)
        kept.append((place < middle - size // 2) | (place >= middle - size // 2 + size))
    return torch.where(kept[0][:, None, :, None] | kept[1][:, None, None, :], images, GRAY)


def shifts(count: int, length: int, ratio: float, images: Tensor) -> Tensor:
    """Whole shifts (count,) of up to a share of a length, both ways."""
    most = int(length * ratio + 0.5)
    return torch.randint(-most, most + 1, (count,), device=images.device)

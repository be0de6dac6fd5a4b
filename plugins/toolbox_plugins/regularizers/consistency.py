"""Consistency regularisation: a discriminator shall say the same of an image and of the image moved."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox import Judge, Regularizer, UserError
from toolbox_plugins.augmentations.geometry import with_all_frames


class ConsistencyRegularization(Regularizer):
    """(D(x) - D(T x))^2 for a random flip and shift T (CR, Zhang et al., 2020); weight 10.

    Of a patch discriminator the mean over patches is compared, scale by scale, since T moves the patches.

    Args:
        fake: count the fakes too, as bCR does (Zhao et al., 2021); CR counts real images alone.
        shift: largest shift as a share of the sides, with reflection at the border.
    """

    weight = 10.0

    def __init__(self, *, fake: bool = False, shift: float = 0.125) -> None:
        super().__init__()
        if not 0 <= shift < 0.5:
            raise UserError(f"shift must be from 0 to below 0.5, got {shift}")
        self.fake, self.shift = fake, shift

    def forward(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        """The mean over samples, summed over scales and sets; a scalar."""
        terms = []
        for images in (real, fake) if self.fake else (real,):
            for still, moved in zip(judge(images), judge(with_all_frames(self.move, images)), strict=True):
                terms.append((still.flatten(1).mean(1) - moved.flatten(1).mean(1)).square().mean())
        return torch.stack(terms).sum()

    def move(self, images: Tensor) -> Tensor:
        """Flip and shift images (B, C, H, W), each in its own way, by whole pixels."""
        count, _, height, width = images.shape
        rows, columns = int(height * self.shift), int(width * self.shift)
        padded = F.pad(images, (columns, columns, rows, rows), mode="reflect")
        device = images.device
        top = torch.randint(0, 2 * rows + 1, (count, 1), device=device) + torch.arange(height, device=device)
        left = torch.randint(0, 2 * columns + 1, (count, 1), device=device) + torch.arange(width, device=device)
        flipped = torch.rand(count, 1, device=device) < 0.5
        left = torch.where(flipped, left.flip(1), left)
        samples = torch.arange(count, device=device)[:, None, None]
        return padded.permute(0, 2, 3, 1)[samples, top[:, :, None], left[:, None, :]].permute(0, 3, 1, 2)

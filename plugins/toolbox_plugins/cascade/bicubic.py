"""Bicubic resizing as a generator: the stage of a cascade that learns nothing."""

from __future__ import annotations

from torch import Tensor

from toolbox import Generator, UserError, resize_bicubic


class Bicubic(Generator):
    """Enlarges as MATLAB's imresize does; it has no parameters."""

    keeps_colors = True

    def __init__(self, *, scale: int = 4) -> None:
        super().__init__()
        if scale < 1:
            raise UserError(f"scale must be 1 or more, got {scale}")
        self.scale = scale

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to (B, C, scale*H, scale*W); edges may overshoot [0, 1]."""
        return resize_bicubic(images, up=self.scale)

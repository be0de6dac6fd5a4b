"""The classic degradation of super-resolution: MATLAB's bicubic downscaling."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import Degradation, UserError, resize_bicubic


class BicubicDegradation(Degradation):
    """Shrinks by `scale` as MATLAB's imresize does, and by default rounds to 8 bits as a saved image would be.

    SRGAN (Ledig et al. 2017), ESRGAN (Wang et al. 2018) and the x2, x3, x4 and x8 tables since SRCNN use it.
    """

    def __init__(self, *, scale: int = 4, quantize: bool = True) -> None:
        """`quantize` rounds to 8 bits and cuts overshoot to [0, 1]; without it the values stay as computed."""
        super().__init__()
        if scale not in (2, 3, 4, 8):
            raise UserError(f"scale must be 2, 3, 4 or 8, got {scale}")
        self.scale, self.quantize = scale, quantize

    def forward(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Shrink images (B, C, H, W), or clips (B, T, C, H, W), in [0, 1] by `scale`; `rng` is not used.

        Gradients pass the rounding and the cut as if they were not there (straight-through): their own would be
        zero. Raises ValueError where H or W is no multiple of `scale`.
        """
        small = resize_bicubic(images, down=self.scale)
        if not self.quantize:
            return small
        rounded = (small.clamp(0, 1) * 255).round() / 255
        return small + (rounded - small).detach() if small.requires_grad else rounded

    def extra_repr(self) -> str:
        return f"scale={self.scale}, quantize={self.quantize}"

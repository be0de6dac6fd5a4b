"""Real-ESRGAN (Wang et al., 2021): ESRGAN's flow with sharpened targets."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import Parts, Values
from toolbox_plugins.degradations.sharpen import usm_sharpen
from toolbox_plugins.esrgan.algorithm import ESRGAN


class RealESRGAN(ESRGAN):
    """`lr` (B, C, H, W) to `sr` (B, C, scale*H, scale*W), judged against `hr`, trained towards a sharpened `hr`.

    Section 3.4 of the paper: the input is made from the sharpened image (the first stage of `RealESRGANDegradation`),
    losses other than the adversarial one compare with it (`hr_sharp`), and the discriminator sees the image as it is,
    so that the output is crisp without halos. `sharpen: false` compares with `hr`; tell the degradation the same.

    The published code keeps 180 degraded pairs and draws its batches from them, because it draws one set of random
    parameters for each batch. Here every sample has its own, so there is no such pool.
    """

    roles = {
        "pixel": [("sr", "hr_sharp")],
        "perceptual": [("sr", "hr_sharp")],
        "artifact": [("sr", "hr_sharp", "sr_ema")],
    }

    def __init__(self, parts: Parts, *, sharpen: bool = True) -> None:
        super().__init__(parts)
        self.sharpen = sharpen

    def translate(self, values: Values) -> None:
        """Upscale, and sharpen the target."""
        super().translate(values)
        if any(self.wants(role) for role in self.roles):
            values["hr_sharp"] = self.sharpened(values["hr"]) if self.sharpen else values["hr"]

    @torch.no_grad()
    def sharpened(self, images: Tensor) -> Tensor:
        """The target of images (B, C, H, W) in [0, 1]."""
        return usm_sharpen(images)

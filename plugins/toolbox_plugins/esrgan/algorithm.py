"""ESRGAN (Wang et al., 2018): SRGAN's flow, and LDL's role (Liang et al., 2022) for a loss against artefacts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from toolbox import Values
from toolbox_plugins.srgan.algorithm import SRGAN


class ESRGAN(SRGAN):
    """`lr` (B, C, H, W) to `sr` (B, C, scale*H, scale*W), judged against `hr`, as SRGAN.

    What makes it ESRGAN stands in the config: RRDBNet, the variant RaGAN, the perceptual loss before the ReLU. The
    role `artifact` is called with `sr`, `hr` and `sr_ema`, the output of the generator's average, which needs
    `model.ema`; a config without it is refused.
    """

    roles = {**SRGAN.roles, "artifact": [("sr", "hr", "sr_ema")]}
    averaged_roles = ("artifact",)

    def translate(self, values: Values) -> None:
        """Upscale, by the average too where a loss asks for it."""
        super().translate(values)
        if self.wants("artifact"):
            values["sr_ema"] = self.upscale_by_average(values)

    @torch.no_grad()
    def upscale_by_average(self, values: Values) -> Tensor:
        """What the generator's average makes of `lr`."""
        average: Any = self.generator_ema
        return average.eval()(values["lr"])  # batch norm as in prediction, not by this batch

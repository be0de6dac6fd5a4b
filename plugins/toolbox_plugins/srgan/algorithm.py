"""SRGAN (Ledig et al., 2017): super-resolution by a pixel, a perceptual and an adversarial loss."""

from __future__ import annotations

from torch import nn

from toolbox import Algorithm, Output, Values


class SRGAN(Algorithm):
    """`lr` (B, C, H, W) to `sr` (B, C, scale*H, scale*W), judged against `hr`.

    The dataset gives `hr`, and `lr` too where pairs exist; else `model.degradation` makes `lr` from `hr`. Without a
    discriminator it is the PSNR-oriented training of the generator alone.
    """

    inputs = ("lr", "hr")
    derived = {"lr": "hr"}
    generators = ("generator",)
    outputs = {"sr": Output("lr", "generator", keeps_colors=True)}
    adversaries = {"discriminator": ("hr", "sr")}
    optional = ("discriminator",)
    roles = {"pixel": [("sr", "hr")], "perceptual": [("sr", "hr")]}

    generator: nn.Module

    def translate(self, values: Values) -> None:
        """Upscale."""
        values["sr"] = self.generator(values["lr"])

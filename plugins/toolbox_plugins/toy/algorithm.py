"""The GAN of the first paper: from noise to data, judged against data."""

from __future__ import annotations

from torch import nn

from toolbox import Algorithm, Output, Values


class LatentGAN(Algorithm):
    """`noise` (B, latent, H, W) to `fake`, judged against `real` (Goodfellow et al., 2014); nothing else counts."""

    inputs = ("noise", "real")
    generators = ("generator",)
    outputs = {"fake": Output("noise", "generator", keeps_colors=False)}
    adversaries = {"discriminator": ("real", "fake")}

    generator: nn.Module

    def translate(self, values: Values) -> None:
        """Generate."""
        values["fake"] = self.generator(values["noise"])

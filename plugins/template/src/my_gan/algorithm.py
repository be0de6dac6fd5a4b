"""An algorithm: how images flow between networks, and which losses there can be."""

from __future__ import annotations

from torch import nn
from torch.nn.functional import avg_pool2d

from toolbox import Algorithm, ConfigError, Output, Parts, Values


class ConsistentUpscaler(Algorithm):
    """Super-resolution whose result, shrunk again, must be the input: `lr` (B, C, H, W) to `sr`, judged against `hr`.

    `model.degradation` makes `lr` from `hr` where the dataset gives no pairs. `back` compares the two small images
    (Ledig et al. 2017 without it; the idea is iterative back-projection's, Irani and Peleg 1991).
    """

    inputs = ("lr", "hr")
    derived = {"lr": "hr"}
    generators = ("generator",)
    outputs = {"sr": Output("lr", "generator", keeps_colors=True)}
    adversaries = {"discriminator": ("hr", "sr")}
    optional = ("discriminator",)
    roles = {"pixel": [("sr", "hr")], "back": [("small", "lr")]}

    generator: nn.Module

    def __init__(self, parts: Parts, *, shrink: int = 2) -> None:
        super().__init__(parts)
        if shrink != getattr(self.generator, "scale", shrink):
            raise ConfigError(f"must be the generator's scale, got {shrink}", key="model.shrink")
        self.shrink = shrink

    def translate(self, values: Values) -> None:
        """Upscale; shrink again if a loss asks for it."""
        values["sr"] = self.generator(values["lr"])  # (B, C, shrink*H, shrink*W)
        if self.wants("back"):
            values["small"] = avg_pool2d(values["sr"], self.shrink)  # (B, C, H, W)

"""How a picture with a hole flows: filled, put into the picture, and judged as a whole and around the hole."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from toolbox import Algorithm, ConfigError, Output, Parts, Values

from .window import around


class Inpainting(Algorithm):
    """`picture` (B, C, H, W) and `mask` (B, 1, H, W), 1 in the hole, to `filled` (Iizuka et al. 2017).

    Outside of the hole `filled` is the picture itself. `discriminator` judges the whole, `discriminator_local` a square
    of `window` pixels around the hole; either may be left out. The role `pixel` compares the whole pictures, and so
    counts the hole alone.

    Raises:
        ConfigError: `window` is less than 8.
    """

    inputs = ("picture", "mask")
    generators = ("generator",)
    outputs = {"filled": Output(("picture", "mask"), "generator", keeps_colors=True)}
    adversaries = {"discriminator": ("picture", "filled"), "discriminator_local": ("local", "filled_local")}
    optional = ("discriminator", "discriminator_local")
    roles = {"pixel": [("filled", "picture")]}

    generator: nn.Module

    def __init__(self, parts: Parts, *, window: int = 48) -> None:
        super().__init__(parts)
        if window < 8:
            raise ConfigError(f"must be 8 or more, got {window}", key="model.window")
        self.window = window

    def prepare(self, values: Values) -> None:
        """Make the hole sharp, 0 or 1, and blank it in the picture."""
        values["hole"] = (values["mask"] > 0.5).to(values["picture"].dtype)
        values["masked"] = values["picture"] * (1 - values["hole"])

    def translate(self, values: Values) -> None:
        """Fill the hole, and cut its surroundings out of both pictures."""
        picture, hole, masked = (values[name] for name in ("picture", "hole", "masked"))
        values["filled"] = masked + hole * self.generator(masked, hole)
        values["local"] = around(picture, hole, self.window)
        values["filled_local"] = around(values["filled"], hole, self.window)

    def generate(self, output: str, values: Values, state: Any) -> Tensor:
        """The picture with its hole filled."""
        masked, hole = values["masked"], values["hole"]
        return masked + hole * self.averaged_network("generator")(masked, hole)

    @classmethod
    def example_inputs(cls, count: int, size: int) -> dict[str, Tensor]:
        """Pictures with a hole in the middle, for `plugins check` and tests."""
        mask = torch.zeros(count, 1, size, size)
        mask[..., size // 4 : size // 2, size // 4 : size // 2] = 1
        return {"picture": torch.rand(count, 3, size, size), "mask": mask}

    @classmethod
    def example_arguments(cls) -> dict[str, Any]:
        """A generator that takes masks, for `plugins check`."""
        from .generator import DilatedFiller

        return {"networks": {"generator": DilatedFiller(width=4)}, "window": 16}

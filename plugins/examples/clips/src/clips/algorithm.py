"""How clips flow: made small where only large ones are given, enlarged, and compared."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from toolbox import Algorithm, Output, Parts, Values, unwrapped


class ClipUpscaling(Algorithm):
    """Super-resolution of clips: `hr` (B, T, C, H, W) is averaged to `lr`, and `lr` enlarged to `sr`.

    Roles: `pixel` compares frames, `motion` what changes between them. `infer` takes the pictures of a folder, in the
    order of their names, as frames; `--batch` is the length of a clip.
    """

    inputs = ("hr",)
    generators = ("generator",)
    outputs = {"sr": Output("lr", "generator", keeps_colors=True, clip=True)}
    adversaries = {"discriminator": ("hr", "sr")}
    optional = ("discriminator",)
    roles = {"pixel": [("sr", "hr")], "motion": [("sr", "hr")]}

    generator: nn.Module

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.shrink = int(getattr(unwrapped(self.generator), "scale", 1))

    def prepare(self, values: Values) -> None:
        """Make small clips (B, T, C, H/scale, W/scale) of large ones; a user's clip is small already."""
        if "lr" not in values:
            clips = values["hr"]
            values["lr"] = avg_pool2d(clips.flatten(0, 1), self.shrink).unflatten(0, clips.shape[:2])

    def translate(self, values: Values) -> None:
        """Enlarge the small clips."""
        values["sr"] = self.generator(values["lr"])

    @classmethod
    def example_inputs(cls, count: int, size: int) -> dict[str, Tensor]:
        """Clips of three frames, for `plugins check` and tests."""
        return {"hr": torch.rand(count, 3, 3, size, size)}

    @classmethod
    def example_arguments(cls) -> dict[str, Any]:
        """Networks that take clips, for `plugins check`."""
        from .discriminator import ClipDiscriminator
        from .generator import RecurrentUpscaler

        return {"networks": {"generator": RecurrentUpscaler(width=4), "discriminator": ClipDiscriminator(width=4)}}

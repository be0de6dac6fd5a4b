"""Two networks in a row: the usual way to pictures that are both stylised and enlarged."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from toolbox import Algorithm, Output, Parts, UserError, Values
from toolbox_plugins.joint.flatten import flatten


class Cascade(Algorithm):
    """`lr_a` (B, C, h, w) through `first` and `second` to `fake_b` (B, C, scale*h, scale*w).

    Each stage is any generator: a style transfer and a super-resolution in either order, or `Bicubic` and a style
    transfer. Weights trained elsewhere come with `load_from: {first: FILE, second: FILE}`, and the cascade can be
    tested and used as it is. Trained, both learn together: `discriminator` judges `fake_b` against `real_b`, and the
    role `pixel` compares it with `real_b` where the dataset gives pairs.

    Args:
        flatten: in use, areas of `fake_b` that deviate by less than this become flat, by the filter of the joint
            networks, so that both are compared with it; 0 for none.

    Raises:
        UserError: `flatten` is out of range.
    """

    inputs = ("lr_a", "real_b")
    derived = {"lr_a": "real_a"}
    generators = ("first", "second")
    outputs = {"fake_b": Output("lr_a", "first", "second", keeps_colors=False)}
    adversaries = {"discriminator": ("real_b", "fake_b")}
    optional = ("discriminator",)
    roles = {"pixel": [("fake_b", "real_b")]}

    first: nn.Module
    second: nn.Module

    def __init__(self, parts: Parts, *, flatten: float = 0.0) -> None:
        super().__init__(parts)
        if not 0 <= flatten < 1:
            raise UserError(f"flatten must be from 0 to below 1, a deviation of images in [0, 1], got {flatten}")
        self.flatten = flatten

    def translate(self, values: Values) -> None:
        """One stage after the other."""
        values["fake_b"] = self.second(self.first(values["lr_a"]))

    def generate(self, output: str, values: Values, state: Any) -> Tensor:
        """One stage after the other, and the filter, on `lr_a` (B, C, h, w); between them is a picture, in [0, 1]."""
        picture = self.averaged_network("first")(values["lr_a"]).clamp(0, 1)
        large = self.averaged_network("second")(picture)
        return flatten(large, self.flatten, scale=self.scale_of(output)) if self.flatten else large

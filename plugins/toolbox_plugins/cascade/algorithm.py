"""Two networks in a row: the usual way to pictures that are both stylised and enlarged."""

from __future__ import annotations

from torch import nn

from toolbox import Algorithm, Output, Values


class Cascade(Algorithm):
    """`lr_a` (B, C, h, w) through `first` and `second` to `fake_b` (B, C, scale*h, scale*w).

    Each stage is any generator: a style transfer and a super-resolution in either order, or `Bicubic` and a style
    transfer. Weights trained elsewhere come with `load_from: {first: FILE, second: FILE}`, and the cascade can be
    tested and used as it is. Trained, both learn together: `discriminator` judges `fake_b` against `real_b`, and the
    role `pixel` compares it with `real_b` where the dataset gives pairs.
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

    def translate(self, values: Values) -> None:
        """One stage after the other."""
        values["fake_b"] = self.second(self.first(values["lr_a"]))

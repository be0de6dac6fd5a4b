"""One network that is taught many styles at once, each picture in one of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from toolbox import Algorithm, Output, Parts, Values
from toolbox_plugins.painter.styles import shares_of, styles_of, taught_by


class MultiStyle(Algorithm):
    """A photograph `real_a` (B, 3, H, W) to `fake_b` in one of N styles, `infer --style NAME` or `A:0.7,B:0.3`.

    Dumoulin et al. 2017: each sample of a batch is painted in a style drawn anew, from those that the losses have
    pictures of, and compared with it (`style`: `StyleImagesLoss`), and with the photograph (`content`, `luminance`);
    `smoothness` is for total variation. A dataset may give the number of a style, `style_b` (B,), instead, and with it
    paintings `real_b`, as `StyledFolders` does, against which a `discriminator` may judge.

    A style that is added later is trained in minutes: `generator: {trains: styles}`, and `load_from` the network of the
    others.

    Raises:
        UserError: the generator has no styles, or the losses of `style` others than it.
    """

    inputs = ("real_a",)
    generators = ("generator",)
    outputs = {"fake_b": Output("real_a", "generator", keeps_colors=False)}
    adversaries = {"discriminator": ("real_b", "fake_b")}
    optional = ("discriminator",)
    roles = {
        "style": [("fake_b", "style_b")],
        "content": [("fake_b", "real_a")],
        "luminance": [("fake_b", "real_a")],
        "smoothness": [("fake_b",)],
    }

    generator: nn.Module

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.styles = styles_of(parts, "MultiStyleNet")
        drawn, style = taught_by(parts, self.styles)
        self.register_buffer("drawn", drawn, persistent=False)
        self.outputs = {"fake_b": Output("real_a", "generator", keeps_colors=False, conditions=(style,))}

    def translate(self, values: Values) -> None:
        """Paint each photograph in a style."""
        images = values["real_a"]
        shares = shares_of(values, self.get_buffer("drawn"), len(self.styles), images)
        values["fake_b"] = self.generator(images, style=shares)

    @classmethod
    def example_inputs(cls, count: int, size: int) -> dict[str, Tensor]:
        """Photographs, and paintings with the numbers of their styles."""
        photographs, paintings = torch.rand(2, count, 3, size, size)
        return {"real_a": photographs, "real_b": paintings, "style_b": torch.arange(count) % 2}

    def condition(self, output: str, chosen: dict[str, Any]) -> dict[str, Any]:
        """The shares of the styles; without a choice, all of the first."""
        return {"style": chosen.get("style"), "statistics": None}

    def survey(self, output: str, values: Values, state: dict[str, Any]) -> dict[str, Any]:
        """What instance norm measures over the whole photograph."""
        network: Any = self.averaged_network("generator")
        return {**state, "statistics": network.survey(values["real_a"], state["style"])}

    def generate(self, output: str, values: Values, state: dict[str, Any]) -> Tensor:
        """The photograph in the style chosen."""
        network: Any = self.averaged_network("generator")
        return network(values["real_a"], style=state["style"], statistics=state["statistics"])

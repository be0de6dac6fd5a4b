"""Feature networks whose distances can be worked out by hand, and maps to compare."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from toolbox.contracts.network import FeatureNetwork


class Doubles(FeatureNetwork):
    """Layer `twice` is 2x, layer `square` is x^2: distances can be worked out by hand."""

    layers: Sequence[str] = ("twice", "square")

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        self.asked.append(list(layers))
        return {layer: images * 2 if layer == "twice" else images.square() for layer in layers}

    def __repr__(self) -> str:
        return "Doubles()"


class Colours(FeatureNetwork):
    """The image itself, and its three channels' squares: vectors are means of colours, easily worked out."""

    layers: Sequence[str] = ("colour", "square")
    short_name = "colours"

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        return {layer: images if layer == "colour" else images.square() for layer in layers}


def maps(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

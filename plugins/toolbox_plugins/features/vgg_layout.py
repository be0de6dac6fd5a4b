"""The layers of VGG networks (Simonyan and Zisserman, 2015) by name, in torchvision's order, so that its keys fit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from torch import nn

Blocks = Sequence[tuple[int, int]]
"""Width and number of the convolutions of each block; a 2x2 maximum stands after each."""
VGG16_BLOCKS: Blocks = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
VGG19_BLOCKS: Blocks = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))


def layer_places(blocks: Blocks) -> dict[str, int]:
    """Where each named layer stands in `features`: conv1_1 at 0, relu1_1 at 1, conv1_2 at 2, ..."""
    places, place = {}, count()
    for block, (_, number) in enumerate(blocks, start=1):
        for index in range(1, number + 1):
            places[f"conv{block}_{index}"] = next(place)
            places[f"relu{block}_{index}"] = next(place)
        next(place)  # the maximum after the block
    return places


def make_layers(blocks: Blocks, *, ceil_mode: bool = False) -> nn.Sequential:
    """The convolutions, ReLUs and maxima; with `ceil_mode` a maximum rounds odd sizes up, as Caffe's does."""
    layers: list[nn.Module] = []
    channels = 3
    for width, number in blocks:
        for _ in range(number):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers += [nn.MaxPool2d(2, ceil_mode=ceil_mode)]
    return nn.Sequential(*layers)

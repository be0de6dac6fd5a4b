"""VGG16 with random weights as a feature network: no download, no licence, and no meaning learned from images."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import UserError

from .stack import FeatureStack
from .vgg19 import IMAGENET_MEAN, IMAGENET_STD
from .vgg_layout import VGG16_BLOCKS, layer_places, make_layers


class RandomFeatures(FeatureStack):
    """Images (B, 3, H, W) in [0, 1] to the activations of an untrained VGG16's layers, `conv1_1` ... `relu5_3`.

    RANDOM weights: He et al. 2015's normal rule from `seed` on the CPU, biases 0; the same seed gives the same network
    everywhere. Its Gram matrices know colour and texture (He, Wang and Hopcroft 2016 transfer styles with such
    networks), but nothing of what a picture shows, and its distances are comparable with those of no other network.
    So it serves tests, and texture where no weights can be had; no other component falls back to it, and metrics are
    called after it: `random_gram`, or `random_seed1_width16_gram` for other arguments than the defaults.

    `width` is that of the first block; the others have 2, 4, 8 and 8 times as many channels, 64 being VGG16's.
    """

    places = layer_places(VGG16_BLOCKS)
    layers = tuple(places)
    taps = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
    smallest = 16
    short_name = "random"

    def __init__(self, *, seed: int = 0, width: int = 64) -> None:
        super().__init__()
        if seed < 0:
            raise UserError(f"seed must be 0 or more, got {seed}")
        if width < 1:
            raise UserError(f"width must be at least 1, got {width}")
        self.seed, self.width = seed, width
        self.short_name += f"_seed{seed}" if seed else ""
        self.short_name += f"_width{width}" if width != 64 else ""
        with torch.device("meta"):
            self.features = make_layers([(of * width // 64, number) for of, number in VGG16_BLOCKS])
        rng = torch.Generator().manual_seed(seed)
        state: dict[str, Tensor] = {}
        for key, value in self.state_dict().items():
            drawn = torch.zeros(value.shape, device="cpu")
            if value.dim() == 4:
                drawn.normal_(0, (2 / value[0].numel()) ** 0.5, generator=rng)
            state[key] = drawn
        self.fill(state, mean=IMAGENET_MEAN, std=IMAGENET_STD)

    def __repr__(self) -> str:
        """As in the config."""
        return f"RandomFeatures(seed={self.seed}, width={self.width})"

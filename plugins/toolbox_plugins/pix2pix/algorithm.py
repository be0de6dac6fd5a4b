"""pix2pix (Isola et al., 2017): paired translation; the discriminator sees the input beside the output."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolbox import Algorithm, Output, Values, resize_to


class Pix2Pix(Algorithm):
    """`real_a` to `fake_b`, compared with its partner `real_b`, all (B, C, H, W): section 3 of the paper.

    The discriminator judges pairs, input and output one upon the other: `real_pair` and `fake_pair`, (B, 2C, H, W), so
    a discriminator for RGB has `in_channels: 6`. Where the output is larger than the input (a generator with a scale),
    the input is enlarged bicubically for it. The weight published for images in [-1, 1] doubles here: L1 200.

    The paper keeps dropout on when it predicts, as its only noise, and finds that it changes little. Here prediction
    is without, so that it repeats.
    """

    inputs = ("real_a", "real_b")
    generators = ("generator",)
    outputs = {"fake_b": Output("real_a", "generator", keeps_colors=False)}
    adversaries = {"discriminator": ("real_pair", "fake_pair")}
    optional = ("discriminator",)
    roles = {"pixel": [("fake_b", "real_b")], "perceptual": [("fake_b", "real_b")]}

    generator: nn.Module

    def translate(self, values: Values) -> None:
        """Translate, and lay the input under both outputs for the discriminator."""
        values["fake_b"] = self.generator(values["real_a"])
        values["real_pair"] = paired(values["real_a"], values["real_b"])
        values["fake_pair"] = paired(values["real_a"], values["fake_b"])


def paired(source: Tensor, result: Tensor) -> Tensor:
    """Input (B, C, h, w), at the size of the output, and output (B, C', H, W) in one: (B, C + C', H, W)."""
    height, width = result.shape[-2:]
    return torch.cat([resize_to(source, (height, width)), result.to(source.dtype)], 1)

"""How metrics call a feature network, which may be one that the losses of a run hold too."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from toolbox import FeatureNetwork
from toolbox.training.precision import networks_in


@torch.no_grad()
def activations_of(features: FeatureNetwork, images: Tensor, layers: Sequence[str]) -> list[Tensor]:
    """The activations (B, c, h, w) of layers for images (B, 3, H, W) in [0, 1], always in float32.

    A network follows images off the CPU, but never back: a style's file on the CPU would take it from the losses.
    """
    weight = next(iter([*features.parameters(), *features.buffers()]), None)
    if weight is not None and weight.device != images.device:
        if weight.device.type == "cpu":
            features.to(images.device)
        else:
            images = images.to(weight.device)
    with networks_in(None):
        found = features(images, layers=list(layers))
    return [found[layer] for layer in layers]

"""What feature networks share that are one stack of layers: images scaled, run up to the deepest layer asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from toolbox import FeatureNetwork, UserError, did_you_mean


def check_request(network: FeatureNetwork, images: Tensor, layers: Sequence[str]) -> None:
    """Raise UserError for layers that a network has not, and for images (B, C, H, W) that are not of three channels."""
    name = type(network).__name__
    for layer in layers:
        if layer not in network.layers:
            raise UserError(f"{name} has no layer {layer!r}{did_you_mean(layer, network.layers)}")
    if images.shape[1] != 3:
        raise UserError(f"{name} sees images of 3 channels, got {images.shape[1]}")


class FeatureStack(FeatureNetwork):
    """Base of frozen networks whose layers run one after the other: `(images - mean) / std`, then `features`.

    A subclass makes `features` in its constructor, names the `places` of its layers in it, and calls `fill`.
    """

    places: Mapping[str, int]
    """Where each named layer stands in `features`."""
    taps: Sequence[str]
    """What distances compare unless told otherwise."""
    smallest: int
    """Height and width that the deepest layer needs."""
    features: nn.Sequential
    mean: Tensor
    std: Tensor

    def fill(self, state: Mapping[str, Tensor], *, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take weights and the scaling of the three channels, and freeze."""
        self.load_state_dict({key: state[key].float() for key in self.state_dict()}, assign=True)
        self.requires_grad_(False)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.eval()

    def train(self, mode: bool = True) -> FeatureStack:
        """Stay in evaluation mode, whatever the network around is in."""
        return super().train(False)

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Return the activations (B, c, h, w) of the named layers for images (B, 3, H, W) in [0, 1]."""
        check_request(self, images, layers)
        wanted = {self.places[layer]: layer for layer in layers}
        found, x = {}, (images - self.mean) / self.std
        for place in range(max(wanted, default=-1) + 1):
            x = self.features[place](x)
            if place in wanted:
                found[wanted[place]] = x
        return {layer: found[layer] for layer in layers}

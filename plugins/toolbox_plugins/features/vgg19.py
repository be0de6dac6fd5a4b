"""VGG19 (Simonyan and Zisserman, 2015) as a feature network, with the weights of torchvision's file."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from toolbox import FeatureNetwork, UserError

from .stack import check_request
from .vgg_layout import VGG19_BLOCKS, layer_places, make_layers
from .weights import find_weights, read_tensors

OFFICIAL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
CONVOLUTIONS = VGG19_BLOCKS
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PLACES = layer_places(CONVOLUTIONS)


class VGG19(FeatureNetwork):
    """Images (B, 3, H, W) in [0, 1] to the activations of named layers, with ImageNet's mean and deviation inside.

    Layers `conv1_1` ... `conv5_4` are before the ReLU, `relu1_1` ... `relu5_4` after it; block b has height
    H / 2^(b-1). ESRGAN's is conv5_4, SRGAN's VGG5,4 is relu5_4. The weights never change, and layers deeper than those
    asked for are not computed.

    `weights` is the path of torchvision's file (with or without its `classifier.*`), or its URL, by which it is
    downloaded once and checked: against `sha256`, or else against the hash in its name. Without weights there are no
    features: random ones would train, and mean something else.
    """

    layers: Sequence[str] = tuple(PLACES)
    mean: Tensor
    std: Tensor

    def __init__(self, *, weights: str, sha256: str | None = None) -> None:
        super().__init__()
        self.weights = weights
        with torch.device("meta"):  # takes no memory, and draws no random numbers that are thrown away
            self.features = make_layers(CONVOLUTIONS)
            self.requires_grad_(False)
        try:
            state = read_tensors(find_weights(weights, sha256=sha256))
            self._load(state)
        except UserError as error:
            raise UserError(f"{error}; torchvision's VGG19 is {OFFICIAL}") from error
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.eval()

    def _load(self, state: dict[str, Tensor]) -> None:
        needed = self.state_dict()
        given = {key: value for key, value in state.items() if not key.startswith("classifier.")}
        for key, value in needed.items():
            if key not in given:
                raise UserError(f"weights: {self.weights} is no VGG19, it lacks {key}")
            if given[key].shape != value.shape:
                found, wanted = tuple(given[key].shape), tuple(value.shape)
                raise UserError(f"weights: {self.weights} is no VGG19, its {key} is {found} instead of {wanted}")
        if extra := sorted(given.keys() - needed.keys()):
            raise UserError(f"weights: {self.weights} is no VGG19, it also has {extra[0]}")
        self.load_state_dict({key: given[key].float() for key in needed}, assign=True)
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> VGG19:
        """Stay in evaluation mode, whatever the network around is in."""
        return super().train(False)

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Return the activations (B, c, h, w) of the named layers for images (B, 3, H, W) in [0, 1]."""
        check_request(self, images, layers)
        wanted = {PLACES[layer]: layer for layer in layers}
        activations = {}
        features = (images - self.mean) / self.std
        for place in range(max(wanted, default=-1) + 1):
            features = self.features[place](features)
            if place in wanted:
                activations[wanted[place]] = features
        return {layer: activations[layer] for layer in layers}

    def __repr__(self) -> str:
        """As in the config."""
        return f"VGG19(weights={self.weights!r})"

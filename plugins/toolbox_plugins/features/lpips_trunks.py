"""AlexNet and VGG16 as feature networks, with the weights of torchvision's files: the trunks of LPIPS."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from toolbox.errors import UserError, did_you_mean
from toolbox.network import FeatureNetwork

from .vgg19 import IMAGENET_MEAN, IMAGENET_STD
from .weights import find_weights, read_tensors


class Trunk(FeatureNetwork):
    """The convolutions of a classifier: images (B, 3, H, W) in [0, 1] to the activations of named ReLUs.

    ImageNet's mean and deviation are applied inside; they are also LPIPS's own scaling, which is written for [-1, 1].
    `weights` is the path of torchvision's file, or its URL, by which it is downloaded once and checked: against
    `sha256`, or else against the hash in its name.
    """

    official: str
    """URL of torchvision's file."""
    taps: Sequence[str]
    """The layers that LPIPS compares."""
    smallest: int
    """Height and width that the deepest layer needs."""
    places: dict[str, int]
    """Where each named layer stands in `features`."""
    mean: Tensor
    std: Tensor

    def __init__(self, *, weights: str, sha256: str | None = None) -> None:
        super().__init__()
        self.weights, name = weights, type(self).__name__
        with torch.device("meta"):  # takes no memory, and draws no random numbers that are thrown away
            self.features = self.make_layers()
        try:
            given = read_tensors(find_weights(weights, sha256=sha256))
        except UserError as error:
            hint = "" if weights == self.official else f"; torchvision's {name} is {self.official}"
            raise UserError(f"{error}{hint}") from error
        needed = self.state_dict()
        for key, value in needed.items():
            if key not in given or given[key].shape != value.shape:
                what = f"its {key} is {tuple(given[key].shape)}" if key in given else f"it lacks {key}"
                raise UserError(f"weights: {weights} is no {name}, {what}; torchvision's is {self.official}")
        self.load_state_dict({key: given[key].float() for key in needed}, assign=True)
        self.requires_grad_(False)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.eval()

    @staticmethod
    def make_layers() -> nn.Sequential:
        """The layers in torchvision's order, so that its keys fit."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Trunk:
        """Stay in evaluation mode, whatever the network around is in."""
        return super().train(False)

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Return the activations (B, c, h, w) of the named layers for images (B, 3, H, W) in [0, 1]."""
        name = type(self).__name__
        for layer in layers:
            if layer not in self.places:
                raise UserError(f"{name} has no layer {layer!r}{did_you_mean(layer, self.places)}")
        if images.shape[1] != 3:
            raise UserError(f"{name} sees images of 3 channels, got {images.shape[1]}")
        wanted = {self.places[layer]: layer for layer in layers}
        found, x = {}, (images - self.mean) / self.std
        for place in range(max(wanted, default=-1) + 1):
            x = self.features[place](x)
            if place in wanted:
                found[wanted[place]] = x
        return {layer: found[layer] for layer in layers}

    def __repr__(self) -> str:
        """As in the config."""
        return f"{type(self).__name__}(weights={self.weights!r})"


class AlexNet(Trunk):
    """AlexNet (Krizhevsky 2014, "one weird trick"): `relu1` (64, H/4) ... `relu5` (256, H/16)."""

    official = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
    places = {"relu1": 1, "relu2": 4, "relu3": 7, "relu4": 9, "relu5": 11}
    layers = taps = tuple(places)
    smallest = 31
    short_name = "alex"

    @staticmethod
    def make_layers() -> nn.Sequential:
        """Five convolutions, the first two followed by 3x3 maxima."""
        return nn.Sequential(
            *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
        )


class VGG16(Trunk):
    """VGG16 (Simonyan and Zisserman 2015): the last ReLU of each block, `relu1_2` (64, H) ... `relu5_3` (512, H/16)."""

    official = "https://download.pytorch.org/models/vgg16-397923af.pth"
    places = {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22, "relu5_3": 29}
    layers = taps = tuple(places)
    smallest = 16
    short_name = "vgg"

    @staticmethod
    def make_layers() -> nn.Sequential:
        """Thirteen convolutions in five blocks, with a 2x2 maximum between blocks."""
        layers: list[nn.Module] = []
        channels = 3
        for width, number in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            if layers:
                layers.append(nn.MaxPool2d(2))
            for _ in range(number):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
        return nn.Sequential(*layers)

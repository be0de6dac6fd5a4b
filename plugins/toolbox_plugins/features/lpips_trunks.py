"""AlexNet and VGG16 as feature networks, with the weights of torchvision's files: the trunks of LPIPS."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from toolbox import UserError

from .stack import FeatureStack
from .vgg19 import IMAGENET_MEAN, IMAGENET_STD
from .vgg_layout import VGG16_BLOCKS, layer_places, make_layers
from .weights import find_weights, read_tensors


class Trunk(FeatureStack, ABC):
    """The convolutions of a classifier: images (B, 3, H, W) in [0, 1] to the activations of named layers.

    ImageNet's mean and deviation are applied inside; they are also LPIPS's own scaling, which is written for [-1, 1].
    `weights` is the path of torchvision's file, or its URL, by which it is downloaded once and checked: against
    `sha256`, or else against the hash in its name.
    """

    official: str
    """URL of torchvision's file."""

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
        for key, value in self.state_dict().items():
            if key not in given or given[key].shape != value.shape:
                what = f"its {key} is {tuple(given[key].shape)}" if key in given else f"it lacks {key}"
                raise UserError(f"weights: {weights} is no {name}, {what}; torchvision's is {self.official}")
        self.fill(given, mean=IMAGENET_MEAN, std=IMAGENET_STD)

    @staticmethod
    @abstractmethod
    def make_layers() -> nn.Sequential:
        """The layers in torchvision's order, so that its keys fit."""

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
    """VGG16 (Simonyan and Zisserman 2015): every convolution and ReLU, `conv1_1` (64, H) ... `relu5_3` (512, H/16).

    Johnson et al. 2016 take a style from relu1_2, relu2_2, relu3_3 and relu4_3, and content from relu2_2; UNIT compares
    relu5_3. LPIPS compares the last ReLU of each block: the `taps`.
    """

    official = "https://download.pytorch.org/models/vgg16-397923af.pth"
    places = layer_places(VGG16_BLOCKS)
    layers = tuple(places)
    taps = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
    smallest = 16
    short_name = "vgg"

    @staticmethod
    def make_layers() -> nn.Sequential:
        """Thirteen convolutions in five blocks, with a 2x2 maximum after each block."""
        return make_layers(VGG16_BLOCKS)

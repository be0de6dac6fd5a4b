"""The distance of two images in the activations of a frozen network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox.errors import UserError, did_you_mean
from toolbox.network import FeatureNetwork

from .pixel import check_shapes


def gram_distance(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared Frobenius distance of two Gram matrices, the mean over the batch; a scalar.

    Gatys et al. 2016, normalised as Johnson et al. 2016, section 3.2: the products of activations (B, c, h, w) are
    summed over positions and divided by c*h*w. Sizes may differ.
    """
    return (_gram(prediction) - _gram(target)).square().sum((1, 2)).mean()


def _gram(features: Tensor) -> Tensor:
    flat = features.flatten(2)  # (B, c, h*w)
    with torch.autocast(features.device.type, enabled=False):  # sums over all positions need float32
        return flat @ flat.transpose(1, 2) / flat[0].numel()  # (B, c, c)


def unit_distance(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared distance of unit activation vectors, the mean over positions; a scalar from 0 to 4.

    Zhang et al. 2018, without LPIPS's learned weights of channels: the metric `FeatureDistance` for one layer.
    """
    difference = F.normalize(prediction, dim=1, eps=1e-10) - F.normalize(target, dim=1, eps=1e-10)
    return difference.square().sum(1).mean()


CRITERIA = {"l1": F.l1_loss, "l2": F.mse_loss, "gram": gram_distance, "unit": unit_distance}


class PerceptualLoss(nn.Module):
    """The weighted sum, over layers, of the mean difference between two images' activations.

    Johnson et al. 2016; Ledig et al. 2017 for super-resolution. The defaults are ESRGAN's: VGG19's `conv5_4`, before
    the ReLU, by L1. SRGAN's is `relu5_4` by `l2`. `layers` gives each layer its weight. With `gram`, which compares
    which activations go together wherever they are, it is the style loss of Gatys et al. 2016; the target is then a
    style image, of any size. `unit` compares directions of activations, as LPIPS does, so that layers count alike.
    """

    def __init__(
        self, *, features: FeatureNetwork, layers: dict[str, float] | None = None, criterion: str = "l1"
    ) -> None:
        super().__init__()
        layers = {"conv5_4": 1.0} if layers is None else layers
        if not layers:
            raise UserError("layers must name at least one layer with its weight, such as {conv5_4: 1.0}")
        for layer, weight in layers.items():
            if layer not in features.layers:
                raise UserError(
                    f"layers: {type(features).__name__} has no layer {layer!r}{did_you_mean(layer, features.layers)}"
                )
            if weight <= 0:
                raise UserError(f"layers.{layer} must be a weight above 0, got {weight}")
        if criterion not in CRITERIA:
            raise UserError(f"criterion must be l1, l2, gram or unit, got {criterion!r}")
        self.features, self.layers, self.criterion = features, dict(layers), criterion

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare images (B, C, H, W) in [0, 1]; a float32 scalar. The target gets no gradient."""
        if self.criterion != "gram" or prediction.shape[:2] != target.shape[:2]:
            check_shapes(prediction, target)
        names = list(self.layers)
        found = self.features(prediction.float(), layers=names)  # {name: (B, c, h, w)}
        with torch.no_grad():
            wanted = self.features(target.float(), layers=names)
        distance = CRITERIA[self.criterion]
        terms = [weight * distance(found[name].float(), wanted[name].float()) for name, weight in self.layers.items()]
        return torch.stack(terms).sum()

    def __repr__(self) -> str:
        """As in the config."""
        return f"PerceptualLoss(features={self.features!r}, layers={self.layers}, criterion={self.criterion!r})"

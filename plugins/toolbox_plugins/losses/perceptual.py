"""The distance of two images in the activations of a frozen network."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import FeatureNetwork, Loss, UserError, did_you_mean, resize_to
from toolbox.training.precision import networks_in

from .pixel import check_shapes
from .statistics import STATISTICS, instance_normalized


def unit_distance(prediction: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Squared distance of unit activation vectors, from 0 to 4: the mean over positions, or (B, 1, h, w) by `none`.

    Zhang et al. 2018, without LPIPS's learned weights of channels: the metric `FeatureDistance` for one layer.
    """
    difference = F.normalize(prediction, dim=1, eps=1e-10) - F.normalize(target, dim=1, eps=1e-10)
    places = difference.square().sum(1, keepdim=True)
    return places if reduction == "none" else places.mean()


CRITERIA: dict[str, Callable[..., Tensor]] = {"l1": F.l1_loss, "l2": F.mse_loss, "unit": unit_distance}
"""Those that compare position by position."""
CELL, AROUND = 4, 5
"""Detail is measured in cells of 4 pixels a side, and of 5 by 5 of them."""
LEAST = 1e-3
"""A quarter of a level of 8 bits: pictures with less detail on average are plain everywhere."""
MOST = 3.0
"""More than that many times the average counts no more."""


class PerceptualLoss(Loss):
    """The weighted sum, over layers, of the mean difference between two images' activations.

    Johnson et al. 2016; Ledig et al. 2017 for super-resolution. The defaults are ESRGAN's: VGG19's `conv5_4`, before
    the ReLU, by L1. SRGAN's is `relu5_4` by `l2`. `layers` gives each layer its weight. `unit` compares directions of
    activations, so that layers count alike: the distance of LPIPS on any network, without its learned weights.

    Two criteria know no places, so the target may be a style image of any size. `gram` compares which activations go
    together (the style loss of Gatys et al. 2016): the squared difference of Gram matrices, divided by c*h*w, summed
    over the c*c entries. PyTorch's own example takes their mean instead: its 1e10 beside a content of 1e5 is, for a
    layer of c channels, 1e5 / c^2 beside 1 here. `moments` compares each channel's mean and deviation (AdaIN's style
    loss; Huang and Belongie 2017, equation 12), squared and averaged over channels, as is usual.

    `normalize: instance` brings every channel of every image to mean 0 and deviation 1 before it compares, which takes
    the style away and leaves the content: the domain-invariant loss of UNIT's code and MUNIT (Huang et al. 2018), by
    `l2` on VGG16's `relu5_3`.

    `plain` (0.1, say) has each place count by what the target has there: one without any detail counts `plain`, one
    with as much as the average 1 more, so that a painter may use its brush on a sky and must leave a face alone. Detail
    is the deviation of luminance within some twenty pixels; all places of an image together count as before.

    `soften` shrinks the target so many times and enlarges it again, bicubically, before it is looked at. A network that
    sees a photograph four times smaller cannot know finer detail, and where style is what matters, the detail that is
    asked of it all the same comes out as grain.

    `amp` computes the features in the run's precision, bfloat16 under `--amp`; without it in float32. The differences
    are taken in float32 either way.

    Raises:
        UserError: a layer that the network has not or without weight, an unknown criterion or normalisation.
    """

    def __init__(
        self,
        *,
        features: FeatureNetwork,
        layers: dict[str, float] | None = None,
        criterion: str = "l1",
        normalize: str = "none",
        plain: float | None = None,
        soften: int = 1,
        amp: bool = True,
    ) -> None:
        super().__init__()
        self.layers = check_layers(features, {"conv5_4": 1.0} if layers is None else layers)
        if criterion not in CRITERIA and criterion not in STATISTICS:
            raise UserError(f"criterion must be l1, l2, gram, moments or unit, got {criterion!r}")
        if normalize not in ("none", "instance"):
            raise UserError(f"normalize must be none or instance, got {normalize!r}")
        if normalize == "instance" and criterion == "moments":
            raise UserError("normalize: instance makes all moments equal; choose another criterion than moments")
        if plain is not None and (plain < 0 or criterion not in CRITERIA):
            raise UserError(f"plain is 0 or more, and for criterion: l1, l2 or unit, got {plain} and {criterion}")
        if soften < 1:
            raise UserError(f"soften must be 1 or more, got {soften}")
        self.features, self.criterion, self.normalize, self.amp = features, criterion, normalize, amp
        self.plain, self.soften = plain, soften

    def asks(self, prediction: Tensor, target: Tensor) -> list[tuple[nn.Module, Tensor, list[str]]]:
        """What `forward` is going to ask of the network, so that other losses' layers come in the same pass."""
        names = [*self.layers] if self.amp else []
        seen = (prediction, target) if self.soften == 1 else (prediction,)
        return [(self.features, images.float(), names) for images in seen]

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare images (B, C, H, W) in [0, 1]; a float32 scalar. The target gets no gradient."""
        if self.criterion not in STATISTICS or prediction.shape[:2] != target.shape[:2]:
            check_shapes(prediction, target)
        names = list(self.layers)
        with in_precision(self.amp):
            found = self.features(prediction.float(), layers=names)  # {name: (B, c, h, w)}
            with torch.no_grad():
                wanted = self.features(softened(target.float(), self.soften), layers=names)
        places = None if self.plain is None else by_detail(target, self.plain)
        terms = [weight * self.distance(found[name], wanted[name], places) for name, weight in self.layers.items()]
        return torch.stack(terms).sum()

    def distance(self, prediction: Tensor, target: Tensor, places: Tensor | None = None) -> Tensor:
        """The difference of two activations (B, c, h, w) of one layer, places weighed (B, 1, H, W); a scalar."""
        prediction, target = prediction.float(), target.float()
        if self.normalize == "instance":
            prediction, target = instance_normalized(prediction), instance_normalized(target)
        if self.criterion in CRITERIA:
            if places is None:
                return CRITERIA[self.criterion](prediction, target)
            cost = CRITERIA[self.criterion](prediction, target, reduction="none").mean(1, keepdim=True)
            height, width = cost.shape[-2:]
            return (cost * F.adaptive_avg_pool2d(places, (height, width))).mean()
        describe, difference = STATISTICS[self.criterion]
        return difference(describe(prediction), describe(target))

    def __repr__(self) -> str:
        """As in the config."""
        return (
            f"PerceptualLoss(features={self.features!r}, layers={self.layers}, criterion={self.criterion!r}, "
            f"normalize={self.normalize!r}{'' if self.plain is None else f', plain={self.plain}'}"
            f"{'' if self.soften == 1 else f', soften={self.soften}'}{'' if self.amp else ', amp=False'})"
        )


def softened(images: Tensor, times: int) -> Tensor:
    """Images (B, C, H, W) without what gets lost when they are shrunk so many times; of the same size."""
    if times == 1:
        return images
    height, width = images.shape[-2:]
    small = resize_to(images, (max(1, round(height / times)), max(1, round(width / times))))
    return resize_to(small, (height, width)).clamp(0, 1)


@torch.no_grad()
def by_detail(images: Tensor, plain: float) -> Tensor:
    """What the places of images (B, 3, H, W) count by their detail, 1 on average in each: (B, 1, H', W')."""

    def around(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, AROUND, 1, AROUND // 2, count_include_pad=False)

    light = images.float().mean(1, keepdim=True)
    light = light - light.mean((2, 3), keepdim=True)  # else the difference of two squares loses digits
    cell = min(CELL, *light.shape[-2:])
    mean, square = (around(F.avg_pool2d(each, cell)) for each in (light, light.square()))
    detail = around((square - mean.square()).clamp(min=0).sqrt())
    counts = (plain + detail / mean_of(detail)).clamp(max=MOST)
    return counts / mean_of(counts)


def mean_of(values: Tensor) -> Tensor:
    """The mean of each (B, 1, h, w), not 0: (B, 1, 1, 1)."""
    return values.mean((1, 2, 3), keepdim=True).clamp(min=LEAST)


def in_precision(amp: bool) -> AbstractContextManager[None]:
    """Networks within compute in the run's precision, or else in float32."""
    return nullcontext() if amp else networks_in(None)


def check_layers(features: FeatureNetwork, layers: dict[str, float], key: str = "layers") -> dict[str, float]:
    """A copy of the weights of layers, the argument `key`, each of which the network has. Raises UserError."""
    if not layers:
        raise UserError(f"{key} must name at least one layer with its weight, such as {{conv5_4: 1.0}}")
    for layer, weight in layers.items():
        if layer not in features.layers:
            raise UserError(
                f"{key}: {type(features).__name__} has no layer {layer!r}{did_you_mean(layer, features.layers)}"
            )
        if weight <= 0:
            raise UserError(f"{key}.{layer} must be a weight above 0, got {weight}")
    return dict(layers)

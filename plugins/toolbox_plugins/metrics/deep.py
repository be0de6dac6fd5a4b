"""What distances in a network's activations share: the cut border, the rounding, and normalised vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from toolbox import FeatureNetwork, PairedMetric, UserError

from .activations import activations_of

EPSILON = 1e-10
"""Added to a vector's length before dividing by it, as LPIPS does."""


class DeepMetric(PairedMetric):
    """Base of FeatureDistance, LPIPS and ContentDistance: compares activations position by position.

    The network follows the images to their device. 0 for equal images; less is better.
    """

    higher_is_better = False

    def __init__(
        self,
        *,
        prediction: str,
        reference: str,
        features: FeatureNetwork,
        layers: Sequence[str],
        crop: int,
        quantize: bool,
        baseline: bool,
    ) -> None:
        """`crop` pixels are cut from every side; `quantize` rounds both images to 8 bits, as saving them would."""
        super().__init__(prediction=prediction, reference=reference, baseline=baseline)
        if crop < 0:
            raise UserError(f"crop must be 0 or more, got {crop}")
        self.features, self.layers, self.crop, self.quantize = features, tuple(layers), crop, quantize

    @property
    def setting(self) -> str:
        """The protocol's part that both share: `RGB,crop0,uint8`."""
        return f"RGB,crop{self.crop},{'uint8' if self.quantize else 'float'}"

    @torch.no_grad()
    def differences(self, prediction: Tensor, reference: Tensor) -> list[Tensor]:
        """Squared differences of the unit vectors of two images (C, H, W) in [0, 1]: one (c, h, w) for each layer."""
        pairs = self.activations(prediction, reference)
        vectors = [pair / (pair.norm(dim=1, keepdim=True) + EPSILON) for pair in pairs]
        return [(pair[0] - pair[1]).square() for pair in vectors]

    @torch.no_grad()
    def activations(self, prediction: Tensor, reference: Tensor) -> list[Tensor]:
        """What the layers say of two images (C, H, W) in [0, 1]: one (2, c, h, w) for each.

        Raises ValueError where the sizes differ, the crop leaves too little, or there are other than 3 channels.
        """
        name, smallest = type(self).__name__, getattr(self.features, "smallest", 1)
        if prediction.shape != reference.shape or reference.shape[0] != 3:
            raise ValueError(
                f"{name}: {self.prediction} {tuple(prediction.shape)} and {self.reference} {tuple(reference.shape)} "
                "must be of one size with 3 channels (is the scale right?)"
            )
        if min(reference.shape[-2:]) - 2 * self.crop < smallest:
            raise ValueError(
                f"{name}: {self.reference} of {reference.shape[-2]}x{reference.shape[-1]} is too small: "
                f"after cropping {self.crop} from every side {smallest} pixels must be left"
            )
        images = torch.stack([prediction, reference]).float().clamp(0, 1)  # (2, 3, H, W)
        images = (images * 255).round() / 255 if self.quantize else images
        images = images[..., self.crop : images.shape[-2] - self.crop, self.crop : images.shape[-1] - self.crop]
        return activations_of(self.features, images, self.layers)

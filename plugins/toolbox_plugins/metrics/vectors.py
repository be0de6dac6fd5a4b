"""What metrics of two sets in a network's activations share: images become vectors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from toolbox import FeatureNetwork, SetMetric, UserError, did_you_mean, resize_to

from .activations import activations_of

BATCH = 32
"""So many crops are seen by the network at once."""


class VectorMetric(SetMetric):
    """Base of KID and FID: compares sets of vectors, the mean over positions of one layer's activations.

    An image gives one vector, of itself as it is or after `resize` to a square of so many pixels (bicubic, without
    aliasing); or, with `crops`, one for each square of so many of its own pixels, side by side in its middle, which
    `resize` then enlarges. Resizing a large image hides texture, crops see it, and make many vectors of few images.
    A network sees best at the size that it was trained at, 224 for most: on crops of 64 pixels as they are,
    EfficientNetLite0's last activations were five times what they were on the same crops enlarged to 224.

    The layer is by default the last that the network knows, which for EfficientNetLite0 is what its classifier sees,
    as it is for Inception in the papers. KID's kernel wants activations below 1, as that layer has at 224 pixels; those
    of the stages before it are of 2 to 4, and KIDs of tens to thousands.

    It is called after the network, `lite0_kid` with `features: {type: EfficientNetLite0}`.
    Figures of one network, layer, resize and crops compare among
    themselves, never with a paper's, which are of Inception. The network follows the images to their device.
    """

    kind: str = ""
    """What stands behind the network's name: `kid`."""

    def __init__(
        self,
        *,
        prediction: str,
        reference: str,
        features: FeatureNetwork,
        layer: str | None,
        resize: int | None,
        crops: int | None,
        quantize: bool,
        baseline: bool,
    ) -> None:
        """`quantize` rounds images to 8 bits, as saving them would."""
        super().__init__(prediction=prediction, reference=reference, baseline=baseline)
        chosen: str = layer or features.layers[-1]
        if chosen not in features.layers:
            name = type(features).__name__
            raise UserError(f"layer: {name} has no layer {chosen!r}{did_you_mean(chosen, features.layers)}")
        for name, pixels in (("resize", resize), ("crops", crops)):
            if pixels is not None and pixels < 8:
                raise UserError(f"{name} must be 8 pixels or more, got {pixels}")
        self.features, self.layer, self.resize, self.crops, self.quantize = features, chosen, resize, crops, quantize
        short = getattr(features, "short_name", type(features).__name__.lower())
        self.name = f"{short}_{self.kind}"
        self.vectors: tuple[int, int] | None = None

    @property
    def setting(self) -> str:
        """The protocol's part that both share: `EfficientNetLite0:stage7,crops64,uint8,n=24/18,vectors=216/162`."""
        steps = [f"{name}{size}" for name, size in (("crops", self.crops), ("resize", self.resize)) if size]
        seen = ",".join(steps) or "native"
        vectors = f",vectors={self.vectors[0]}/{self.vectors[1]}" if self.vectors and self.crops else ""
        rounding = "uint8" if self.quantize else "float"
        return f"{type(self.features).__name__}:{self.layer},{seen},{rounding},{self.numbers}{vectors}"

    @abstractmethod
    def measure(self, predictions: Tensor, references: Tensor) -> float:
        """Compare two sets of vectors, (n, d) and (m, d) in float64; ValueError where they are too few."""

    @torch.no_grad()
    def describe(self, image: Tensor) -> Tensor:
        """The vectors (n, d) of an image (C, H, W) in [0, 1]; ValueError where it is smaller than a crop."""
        images = image.float().clamp(0, 1)[None]
        images = (images * 255).round() / 255 if self.quantize else images
        images = _squares(images, self.crops) if self.crops else images
        found = []
        for part in images.split(BATCH):
            part = resize_to(part, (self.resize, self.resize)).clamp(0, 1) if self.resize else part
            found.append(activations_of(self.features, part, [self.layer])[0].mean(dim=(2, 3)))
        return torch.cat(found).cpu()

    def compare(self, predictions: Sequence[Tensor], references: Sequence[Tensor]) -> float:
        """Compare the vectors of all predictions with those of all references."""
        first, second = torch.cat(list(predictions)).double(), torch.cat(list(references)).double()
        self.vectors = len(first), len(second)
        return self.measure(first, second)


def _squares(images: Tensor, size: int) -> Tensor:
    """Cut an image (1, C, H, W) into the squares (n, C, size, size) that fit side by side around its middle."""
    channels, height, width = images.shape[1:]
    if min(height, width) < size:
        raise ValueError(f"the image of {height}x{width} is smaller than a crop of {size}; take smaller crops")
    top, left = height % size // 2, width % size // 2
    images = images[0, :, top : top + height // size * size, left : left + width // size * size]
    cells = images.unfold(1, size, size).unfold(2, size, size)  # (C, rows, columns, size, size)
    return cells.permute(1, 2, 0, 3, 4).reshape(-1, channels, size, size)

"""The style of one image, or of a folder of images, as a target that is measured once (Johnson et al., 2016)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolbox import FeatureNetwork, Loss, UserError

from .perceptual import check_layers, in_precision
from .statistics import STATISTICS
from .style_files import check_size, mean_statistics

JOHNSON = {"relu1_2": 1.0, "relu2_2": 1.0, "relu3_3": 1.0, "relu4_3": 1.0}


class StyleImageLoss(Loss):
    """The weighted sum, over layers, of the difference of an image's style to that of the files given.

    Johnson et al. 2016, section 3.2 (fast_neural_style): Gram matrices of VGG16's relu1_2, relu2_2, relu3_3 and
    relu4_3, which are the default; `moments` compares means and deviations instead (Huang and Belongie 2017). Both are
    scaled as in `PerceptualLoss`, whose docstring says what published weights become.

    `image` is a file, or a folder, whose statistics are averaged over its images. They are measured in the constructor
    and kept; checkpoints do not hold them. `size` is the pixels that the shorter side of a style image is resized to:
    the larger, the larger the strokes. Without it the images stay as they are. Small ones are best, near the size of
    training crops: the network sees the whole image.

    `relative` divides each layer's difference by what an image without any activation would cost, so that 0 is the
    style, 1 far from it, and layers count alike on any network: Gram matrices of the edge-tuned VGG16's relu1_2
    differ a million times more than those of its relu4_3.

    `amp` computes the features in the run's precision, bfloat16 under `--amp`; without it in float32, as the files'
    always are. Statistics are taken in float32 either way.

    Raises:
        UserError: a layer that the network has not or without weight, an unknown criterion, a bad size or file.
    """

    def __init__(
        self,
        *,
        features: FeatureNetwork,
        image: str,
        layers: dict[str, float] | None = None,
        size: int | None = None,
        criterion: str = "gram",
        relative: bool = False,
        amp: bool = True,
    ) -> None:
        super().__init__()
        self.layers = check_layers(features, JOHNSON if layers is None else layers)
        if criterion not in STATISTICS:
            raise UserError(f"criterion must be gram or moments, got {criterion!r}")
        check_size(size)
        self.features, self.image, self.size, self.criterion = features, image, size, criterion
        self.relative, self.amp = relative, amp
        for number, each in enumerate(mean_statistics(image, size, self.describe)):
            self.register_buffer(f"target_{number}", each, persistent=False)

    def describe(self, images: Tensor) -> list[Tensor]:
        """The statistics of images (B, 3, H, W) in [0, 1], one tensor for each layer."""
        with in_precision(self.amp):
            found = self.features(images.float(), layers=list(self.layers))
        return [STATISTICS[self.criterion][0](found[name].float()) for name in self.layers]

    def asks(self, prediction: Tensor, target: Tensor | None = None) -> list[tuple[nn.Module, Tensor, list[str]]]:
        """What `forward` is going to ask of the network, so that other losses' layers come in the same pass."""
        return [(self.features, prediction.float(), [*self.layers] if self.amp else [])]

    def forward(self, prediction: Tensor, target: Tensor | None = None) -> Tensor:
        """Compare images (B, 3, H, W) in [0, 1] with the style; a float32 scalar.

        A second value is ignored: a role that also offers images of the style may be filled with this loss.
        """
        terms = [
            weight * self.difference(each, self.get_buffer(f"target_{number}"))
            for number, (each, weight) in enumerate(zip(self.describe(prediction), self.layers.values(), strict=True))
        ]
        return torch.stack(terms).sum()

    def difference(self, found: Tensor, style: Tensor) -> Tensor:
        """How the statistics of one layer differ from the style's; a scalar."""
        difference = STATISTICS[self.criterion][1]
        if not self.relative:
            return difference(found, style)
        return difference(found, style) / difference(torch.zeros_like(style), style).clamp(min=1e-12)

    def __repr__(self) -> str:
        """As in the config."""
        return (
            f"StyleImageLoss(features={self.features!r}, image={self.image!r}, layers={self.layers}, "
            f"size={self.size}, criterion={self.criterion!r}, relative={self.relative}"
            f"{'' if self.amp else ', amp=False'})"
        )

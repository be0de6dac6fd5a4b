"""DISTS as a loss."""

from __future__ import annotations

from torch import Tensor

from toolbox import Loss
from toolbox_plugins.losses.perceptual import in_precision
from toolbox_plugins.losses.pixel import check_shapes

from .similarity import SmoothVGG16, channel_weights, dissimilarity


class DISTSLoss(Loss):
    """The mean over images of the metric `DISTS`, from 0 (equal): textures may be others of the same kind.

    Ding et al., IEEE TPAMI 2020. `weights` is torchvision's file of VGG16, a path or a URL, by default the official
    URL: downloaded once and checked against the hash in its name. `heads` is the file of the learned weights of
    channels, by default the one inside the package dists-pytorch (`pip install --no-deps dists-pytorch`, none of whose
    code runs). Computed in float32.

    Raises:
        UserError: a file is missing or another one.
    """

    def __init__(self, *, weights: str | None = None, heads: str | None = None) -> None:
        super().__init__()
        learned = channel_weights(heads)
        self.features = SmoothVGG16(weights=weights or SmoothVGG16.official)
        self.register_buffer("learned", learned, persistent=False)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare images (B, 3, H, W) in [0, 1]; a float32 scalar. The target gets a gradient too."""
        check_shapes(prediction, target)
        pair = prediction.float(), target.float()
        with in_precision(False):
            first, second = ([*self.features(each, layers=self.features.taps).values()] for each in pair)
        return dissimilarity(first, second, self.get_buffer("learned")).mean()

"""How much a network's features change along a path, per unit of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from toolbox import Loss
from toolbox_plugins.losses.activation_lists import layer_by_layer


class PathLengthLoss(Loss):
    """The mean square of the change of features from one place of a path to another, for `SANTA`'s role `path`.

    Xie et al. 2023, "Unpaired Image-to-Image Translation With Shortest Path Regularization", section 3: finite
    differences stand for the derivative along the path. The mean is over layers, each of which counts alike. Published
    weight 0.01.
    """

    def forward(self, ends: Sequence[Tensor], starts: Sequence[Tensor]) -> Tensor:
        """Compare features (B, C, h, w) of each layer, both divided by the way between them; a float32 scalar."""
        return torch.stack([(a - b).square().mean() for a, b in layer_by_layer(ends, starts)]).mean()

"""What a classifier is trained by."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from toolbox import Loss


class CrossEntropy(Loss):
    """Minus the log-probability of the right label, the mean over the batch; log(n) for n equal scores."""

    def forward(self, scores: Tensor, label: Tensor) -> Tensor:
        """Compare scores (B, n), any real numbers, with labels (B,) from 0 to n - 1; a scalar."""
        return cross_entropy(scores, label)

    @classmethod
    def example_inputs(cls) -> tuple[Tensor, Tensor]:
        """Scores of three domains for two images, and their labels: what `plugins check` calls it with."""
        return torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]]), torch.tensor([0, 2])

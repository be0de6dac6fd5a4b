"""A metric: one number for an image and its reference."""

from __future__ import annotations

from torch import Tensor

from toolbox import PairedMetric


class EdgeError(PairedMetric):
    """Mean absolute difference of the images' slopes along x and y, in grey levels of 255; 0 for equal images."""

    name = "edge_error"
    higher_is_better = False

    @property
    def protocol(self) -> str:
        """What is measured, in one word."""
        return "edge_error[RGB,forward,peak255]"

    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Compare two images (C, H, W) in [0, 1]."""
        difference = 255 * (prediction - reference)
        slopes = [difference.diff(dim=axis).abs().mean() for axis in (1, 2)]
        return float(sum(slopes) / 2)

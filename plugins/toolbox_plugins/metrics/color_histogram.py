"""The distance to a style in its colours alone."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from .to_style import StyleDistance

RANGES = ((0.0, 100.0), (-128.0, 128.0), (-128.0, 128.0))
"""Of L, a and b."""
STEP = 0.25
"""Width of a bin, in units of Lab: no figure is off by more."""


class ColorHistogramDistance(StyleDistance):
    """Earth mover's distance of the histograms of L, a and b (CIE Lab, D65), mean of the three. Less is better.

    In units of Lab, as colour differences are: 10 says that a pixel's L, a and b have to move by 10 each, on average,
    for the images to have the same colours, wherever they stand. In one dimension it is the area between cumulated
    histograms. Against a set it is compared with the mean of the set's histograms, each image counting the same.

    `reference`, `style`, `style_size` and `paired` are StyleDistance's.
    """

    def __init__(
        self,
        *,
        prediction: str,
        reference: str | None = None,
        style: str | None = None,
        style_size: int | None = None,
        paired: bool = False,
        quantize: bool = True,
        baseline: bool = True,
    ) -> None:
        super().__init__(
            prediction=prediction, reference=reference, style=style, style_size=style_size, paired=paired,
            quantize=quantize, baseline=baseline,
        )  # fmt: skip
        self.name = "color_histogram"

    @property
    def protocol(self) -> str:
        return f"{self.name}[CIELab,D65,wasserstein1,{self.setting},units=Lab]"

    def describe(self, image: Tensor) -> Tensor:
        """The cumulated histograms of L, a and b of an image (3, H, W) in [0, 1], one after the other."""
        rgb = np.ascontiguousarray(self.rounded(image).permute(1, 2, 0).cpu().numpy())
        lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)  # float: L in [0, 100], a and b in about +-127
        cumulated = []
        for channel, (low, high) in enumerate(RANGES):
            counts, _ = np.histogram(
                lab[..., channel].clip(low, high), bins=round((high - low) / STEP), range=(low, high)
            )
            cumulated.append(np.cumsum(counts) / counts.sum())
        return torch.from_numpy(np.concatenate(cumulated))

    def distance(self, described: Tensor, style: Tensor) -> float:
        """The area between cumulated histograms, divided by the three channels."""
        return float((described - style).abs().sum()) * STEP / len(RANGES)

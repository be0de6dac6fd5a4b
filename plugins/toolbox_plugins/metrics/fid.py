"""The Fréchet distance of two sets of images."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import FeatureNetwork

from .vectors import VectorMetric


class FID(VectorMetric):
    """Fréchet distance of the Gaussians of two sets of vectors (Heusel et al. 2017), in float64. Less is better.

    It is biased: fewer images, higher figures, so compare equal numbers only. With no more vectors than a vector has
    numbers, a covariance is singular, and the protocol says `singular`: take more images, `crops`, or KID instead.

    `features`, `layer`, `resize`, `crops`, and `quantize` are VectorMetric's.
    """

    kind = "fid"

    def __init__(
        self,
        *,
        prediction: str,
        reference: str,
        features: FeatureNetwork,
        layer: str | None = None,
        resize: int | None = None,
        crops: int | None = None,
        quantize: bool = True,
        baseline: bool = True,
    ) -> None:
        super().__init__(
            prediction=prediction, reference=reference, features=features, layer=layer, resize=resize, crops=crops,
            quantize=quantize, baseline=baseline,
        )  # fmt: skip
        self.singular = False

    @property
    def protocol(self) -> str:
        return f"{self.name}[{self.setting},biased{',singular' if self.singular else ''}]"

    def measure(self, predictions: Tensor, references: Tensor) -> float:
        """Compare (n, d) with (m, d); both need two vectors or more."""
        self.singular = min(len(predictions), len(references)) <= references.shape[1]
        return frechet_distance(predictions, references)


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Squared Fréchet distance of the Gaussians fitted to vectors (n, d) and (m, d) in float64.

    tr sqrt(S T) is taken without a product of covariances or a root of a matrix: of centred X and Y with S = X'X and
    T = Y'Y it is the sum of the singular values of XY', and of RQ' where R and Q are their triangles. So a singular
    covariance costs no accuracy. Raises ValueError for fewer than two vectors.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(
            f"needs two images or more in both sets, got vectors {len(x)} and {len(y)}; give more images, or crops"
        )
    centred = [(each - each.mean(dim=0)) / (len(each) - 1) ** 0.5 for each in (x, y)]
    traces = sum(float(each.square().sum()) for each in centred)
    first, second = (torch.linalg.qr(each, mode="r").R for each in centred)  # (min(n, d), d)
    root = float(torch.linalg.svdvals(first @ second.T).sum())
    return float((x.mean(dim=0) - y.mean(dim=0)).square().sum()) + traces - 2 * root

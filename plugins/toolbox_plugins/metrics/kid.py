"""The kernel distance of two sets of images."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import FeatureNetwork, UserError

from .vectors import VectorMetric


class KID(VectorMetric):
    """Squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 (Binkowski et al. 2018). Less is better.

    Unbiased, so it does not fall with the number of images, unlike FID, and sets alike may come out below 0. Sets of
    up to `subset_size` vectors are compared whole, each with each; of larger ones, the mean over `subsets` random
    draws of so many is taken, with random numbers of its own. In float64; as it is, not times 1000.

    `features`, `layer`, `resize`, `crops`, and `quantize` are VectorMetric's.
    """

    kind = "kid"

    def __init__(
        self,
        *,
        prediction: str,
        reference: str,
        features: FeatureNetwork,
        layer: str | None = None,
        resize: int | None = None,
        crops: int | None = None,
        subsets: int = 100,
        subset_size: int = 1000,
        quantize: bool = True,
        baseline: bool = True,
    ) -> None:
        if subsets < 1:
            raise UserError(f"subsets must be 1 or more, got {subsets}")
        if subset_size < 2:
            raise UserError(f"subset_size must be 2 or more, got {subset_size}")
        super().__init__(
            prediction=prediction, reference=reference, features=features, layer=layer, resize=resize, crops=crops,
            quantize=quantize, baseline=baseline,
        )  # fmt: skip
        self.subsets, self.subset_size = subsets, subset_size

    @property
    def protocol(self) -> str:
        whole = self.vectors is None or max(self.vectors) <= self.subset_size
        drawn = "whole" if whole else f"{self.subsets}subsets{self.subset_size}"
        return f"{self.name}[{self.setting},poly3,unbiased,{drawn},x1]"

    def measure(self, predictions: Tensor, references: Tensor) -> float:
        """Compare (n, d) with (m, d); both need two vectors or more."""
        if min(len(predictions), len(references)) < 2:
            raise ValueError(
                f"needs two images or more in both sets, got vectors {len(predictions)} and {len(references)}; "
                "give more images, or crops"
            )
        if max(len(predictions), len(references)) <= self.subset_size:
            return unbiased_mmd(predictions, references)
        rng = torch.Generator().manual_seed(0)
        draws = [
            unbiased_mmd(*(part[torch.randperm(len(part), generator=rng)[: self.subset_size]] for part in sets))
            for sets in [(predictions, references)] * self.subsets
        ]
        return sum(draws) / len(draws)


def unbiased_mmd(x: Tensor, y: Tensor) -> float:
    """Squared discrepancy of vectors (n, d) and (m, d) with the cubic kernel; no vector is compared with itself."""

    def kernel(first: Tensor, second: Tensor) -> Tensor:
        return (first @ second.T / first.shape[1] + 1) ** 3

    def within(vectors: Tensor) -> Tensor:
        found = kernel(vectors, vectors)
        return (found.sum() - found.diagonal().sum()) / (len(vectors) * (len(vectors) - 1))

    return float(within(x) + within(y) - 2 * kernel(x, y).mean())

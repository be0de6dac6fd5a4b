"""One figure for how much of the content was kept and how well the style was met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from toolbox import FeatureNetwork

from .feature_distance import FeatureDistance
from .fid import frechet_distance
from .vectors import VectorMetric


class ArtFID(VectorMetric):
    """(1 + content distance) (1 + Fréchet distance to the style set), Wright and Ommer 2022. Less is better.

    The formula alone is theirs: the content distance of an output to its own `content` image is FeatureDistance on all
    taps of `features`, where they take LPIPS, and the Fréchet distance is FID on `layer`, where they take an Inception
    trained on art. So it is called `lite0_artfid`, and compares with no paper's. FID's bias is in it too: `singular` in
    the protocol says that there were too few vectors. An output must be of its content image's size.

    `features`, `layer`, `resize`, `crops`, and `quantize` are VectorMetric's; they do not touch the content.
    """

    kind = "artfid"

    def __init__(
        self,
        *,
        prediction: str,
        reference: str,
        content: str,
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
        self.content = content
        self.distance = FeatureDistance(prediction=prediction, reference=content, features=features, quantize=quantize)
        self.singular = False

    @property
    def protocol(self) -> str:
        content = f"content={'+'.join(self.distance.layers)}"
        return f"{self.name}[{self.setting},{content},biased{',singular' if self.singular else ''}]"

    def needed(self) -> tuple[str, ...]:
        """Both sets, and the content images."""
        return (*super().needed(), self.content)

    def keep(self, sample: Mapping[str, Any], name: str) -> Tensor:
        """The vectors of an image and, as a last column, its distance to its content image; 0 for a reference."""
        vectors = self.describe(sample[name])
        distance = 0.0
        if name != self.reference:
            if self.content not in sample:
                raise ValueError(f"ArtFID: the sample has '{name}', and no content image '{self.content}'")
            distance = self.distance.measure(sample[name], sample[self.content])
        return torch.cat([vectors, vectors.new_full((len(vectors), 1), distance)], dim=1)

    def compare(self, predictions: Sequence[Tensor], references: Sequence[Tensor]) -> float:
        """Multiply both distances; the content's is the mean over images."""
        content = sum(float(each[0, -1]) for each in predictions) / len(predictions)
        to_style = super().compare([each[:, :-1] for each in predictions], [each[:, :-1] for each in references])
        return (1 + content) * (1 + to_style)

    def measure(self, predictions: Tensor, references: Tensor) -> float:
        """FID of (n, d) and (m, d); both need two vectors or more."""
        self.singular = min(len(predictions), len(references)) <= references.shape[1]
        return frechet_distance(predictions, references)

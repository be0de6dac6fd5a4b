"""The contract of metrics of motion: they see two frames that follow each other, and their references."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from torch import Tensor

from toolbox.contracts.metric import PairedMetric, frames_of


class Frame(NamedTuple):
    """A frame (C, H, W) in [0, 1] and what it should look like, of one size."""

    prediction: Tensor
    reference: Tensor


class ClipMetric(PairedMetric):
    """Judges what changes from frame to frame of clips (T, C, H, W), or of a film whose frames come one by one.

    A clip's value is `total` of what `between` says of each two frames that follow each other; the result is the mean
    over clips. In `evaluate` all frames of a folder or a video file are one clip.
    """

    higher_is_better = False

    @abstractmethod
    def between(self, before: Frame, now: Frame) -> tuple[float, ...] | None:
        """What there is to say of two frames, as numbers that `total` takes; None of a cut, which is left out.

        Raises ValueError where they cannot be measured.
        """

    def total(self, parts: Sequence[tuple[float, ...]]) -> float:
        """The value of a clip, of its parts: unless overridden, the mean of their first numbers."""
        return sum(part[0] for part in parts) / len(parts)

    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Judge a clip (T, C, H, W) in [0, 1] by that of its reference; NaN where every two frames are a cut.

        Raises ValueError for pictures, and for clips of one frame.
        """
        if prediction.dim() != 4 or prediction.shape != reference.shape or len(prediction) < 2:
            raise ValueError(
                f"{type(self).__name__}: {self.prediction} {tuple(prediction.shape)} and {self.reference} "
                f"{tuple(reference.shape)} must be clips (T, C, H, W) of one size with two frames or more"
            )
        frames = [Frame(*each) for each in zip(prediction, reference, strict=True)]
        parts = [part for before, now in pairwise(frames) if (part := self.between(before, now)) is not None]
        return self.total(parts) if parts else float("nan")

    def _over_frames(self, sample: Mapping[str, Any], image: str) -> float:
        frames_of(sample, image)  # refuses clips of unlike lengths by name
        return self.value(sample, image)

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """Average over the clips in which something was measured."""
        known = [{key: value for key, value in result.items() if value == value} for result in results]
        if not any(known):
            return super().compute_metrics(results)
        keys = dict.fromkeys(key for result in known for key in result)
        found = {key: [result[key] for result in known if key in result] for key in keys}
        return {key: sum(values) / len(values) for key, values in found.items()}

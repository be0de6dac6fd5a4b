"""Metrics of pictures measure clips frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from toolbox import PairedMetric, SetMetric, UserError


class Difference(PairedMetric):
    name, protocol = "difference", "difference"  # pyright: ignore[reportAssignmentType]

    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        assert prediction.dim() == reference.dim() == 3
        return float((prediction - reference).abs().mean())


class MeansApart(SetMetric):
    name, protocol = "apart", "apart"  # pyright: ignore[reportAssignmentType]

    def describe(self, image: Tensor) -> Tensor:
        assert image.dim() == 3
        return image.mean()

    def compare(self, predictions: Sequence[Tensor], references: Sequence[Tensor]) -> float:
        return float(torch.stack(list(predictions)).mean() - torch.stack(list(references)).mean())


def clip(*levels: float) -> Tensor:
    """Frames (T, 3, 4, 4), each of one level."""
    return torch.tensor(levels)[:, None, None, None].expand(-1, 3, 4, 4)


def sample(prediction: Tensor, reference: Tensor) -> dict[str, Any]:
    return {"sr": prediction, "hr": reference, "do_nothing": reference, "label": torch.tensor(1)}


def test_a_clips_value_is_the_mean_over_its_frames_and_clips_count_alike() -> None:
    metric = Difference(prediction="sr", reference="hr")
    short, long = (clip(0.5), clip(0.1)), (clip(0.1, 0.2, 0.3), clip(0.0, 0.0, 0.0))
    metric.process(None, [sample(*short), sample(*long)])
    assert len(metric.results) == 2
    assert metric.compute_metrics(metric.results) == pytest.approx(
        {"difference": (0.4 + 0.2) / 2, "difference/do_nothing": 0}
    )


def test_a_picture_beside_clips_is_compared_with_every_frame() -> None:
    metric = Difference(prediction="sr", reference="hr", baseline=False)
    metric.process(None, [sample(clip(0.1, 0.3), clip(0.0)[0])])
    assert metric.compute_metrics(metric.results) == pytest.approx({"difference": 0.2})


def test_clips_of_unlike_lengths_are_refused_by_name() -> None:
    metric = Difference(prediction="sr", reference="hr", baseline=False)
    with pytest.raises(UserError, match="'sr' has 2 frames and 'hr' 1; clips of a sample are equally long"):
        metric.process(None, [sample(clip(0.1, 0.3), clip(0.0))])


def test_every_frame_is_an_image_of_a_set() -> None:
    metric = MeansApart(prediction="sr", reference="hr")
    metric.process(None, [sample(clip(0.1, 0.2, 0.6), clip(0.0, 0.0, 0.3)), sample(clip(0.7)[0], clip(0.1)[0])])
    assert len(metric.results) == 2
    values = metric.compute_metrics(metric.results)
    assert values == pytest.approx({"apart": 1.6 / 4 - 0.1, "apart/do_nothing": 0}, abs=1e-6)
    assert metric.counts == (4, 4)

"""Samples of two sets as an unpaired evaluation gives them, and their evaluation."""

from __future__ import annotations

import torch
from made_up_features import Colours
from torch import Tensor

from toolbox.contracts.metric import DO_NOTHING
from toolbox_plugins.metrics.kid import KID


def kid(**options) -> KID:
    return KID(**{"prediction": "fake_b", "reference": "real_b", "features": Colours(), "quantize": False, **options})


def images(count: int, *, seed: int = 0, size: int = 8) -> list[Tensor]:
    return list(torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)))


def unpaired(predictions: list[Tensor], references: list[Tensor]) -> list[dict[str, Tensor]]:
    """Samples as an unpaired evaluation gives them: a prediction and its input, or a reference."""
    return [{"fake_b": each, DO_NOTHING: each * 0.5} for each in predictions] + [
        {"real_b": each} for each in references
    ]


def evaluated(metric, samples: list[dict[str, Tensor]]) -> dict[str, float]:
    metric.process(None, samples)
    return metric.evaluate(len(samples))

"""Metrics of two sets of images: formulas against naive loops, every image counted once, ranks, and clean errors."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from toolbox.metric import DO_NOTHING
from toolbox.network import FeatureNetwork
from toolbox_plugins.metrics.kid import KID, unbiased_mmd


class Colours(FeatureNetwork):
    """The image itself, and its three channels' squares: vectors are means of colours, easily worked out."""

    layers: Sequence[str] = ("colour", "square")
    short_name = "colours"

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        return {layer: images if layer == "colour" else images.square() for layer in layers}


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


def test_the_discrepancy_is_that_of_a_naive_double_loop_over_sets_of_unequal_length():
    x, y = torch.randn(5, 4).double(), torch.randn(7, 4).double() + 0.5

    def kernel(a: Tensor, b: Tensor) -> float:
        return (sum(float(i * j) for i, j in zip(a, b, strict=True)) / 4 + 1) ** 3

    within_x = sum(kernel(x[i], x[j]) for i in range(5) for j in range(5) if i != j) / (5 * 4)
    within_y = sum(kernel(y[i], y[j]) for i in range(7) for j in range(7) if i != j) / (7 * 6)
    between = sum(kernel(a, b) for a in x for b in y) / 35
    assert unbiased_mmd(x, y) == pytest.approx(within_x + within_y - 2 * between, rel=1e-12)


def test_the_discrepancy_of_sets_of_equal_length_is_torchmetrics():
    x, y = torch.randn(30, 16).double(), torch.randn(30, 16).double() * 1.2
    assert unbiased_mmd(x, y) == pytest.approx(float(poly_mmd(x, y)), rel=1e-10)


def test_kid_compares_whole_sets_that_come_in_different_samples_and_the_baseline_beside():
    predictions, references = images(6), images(9, seed=1)
    metric = kid(layer="colour")
    result = evaluated(metric, unpaired(predictions, references))
    x, y = (torch.stack(each).double().mean(dim=(2, 3)) for each in (predictions, references))
    assert result["colours_kid"] == pytest.approx(unbiased_mmd(x, y), abs=1e-6)
    assert result["colours_kid/do_nothing"] == pytest.approx(unbiased_mmd(x * 0.5, y), abs=1e-6)
    assert metric.protocol == "colours_kid[Colours:colour,native,float,n=6/9,poly3,unbiased,whole,x1]"

"""Nothing in a training step waits for the device: no value is read, and no constant copied to it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from matrix import FLOWS, VARIANTS, algorithm_class, algorithms
from toolbox.assembly.build import build_component
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.testing.components import images
from toolbox_plugins.degradations.jpeg import jpeg
from waiting import Waits

CELLS = [(name, "Vanilla(regularizers)") for name in algorithms()] + [("CycleGAN", name) for name in FLOWS]
LOSSES: list[dict[str, Any]] = [
    {"type": "LowPassLuminanceLoss"},
    {"type": "ColorMomentLoss"},
    {"type": "ColorHistogramLoss"},
    {"type": "ArtifactLoss"},
    {"type": "MSSSIMLoss", "scales": 2},
    {"type": "OklabLoss"},
    {"type": "FocalFrequencyLoss"},
    {"type": "WaveletLoss"},
    {"type": "GradientVarianceLoss"},
]


@pytest.mark.parametrize(("name", "variant"), CELLS)
def test_no_step_of_any_algorithm_waits(name: str, variant: str) -> None:
    options = {"jpeg_quality": [30, 90]} if name == "StyleSuperResolution" else {}
    model = assemble(algorithm_class(name), VARIANTS[variant], ema=0.9, **options)
    optimizers = optimizers_for(model, sgd=True)
    batch = model.data_preprocessor(batch_for(model), True)  # degraded before
    for _ in range(2):  # what is made once is made here
        model.train_step(batch, optimizers)
    with Waits() as waits:
        for _ in range(2):
            model.train_step(batch, optimizers)
    assert not waits.found


@pytest.mark.parametrize("config", LOSSES, ids=lambda config: config["type"])
def test_no_loss_with_constants_waits(config: dict[str, Any]) -> None:
    loss = build_component("losses", config)
    values = [
        images(2, 3, 32, 32, seed=seed).requires_grad_() for seed in range(3 if "Artifact" in config["type"] else 2)
    ]
    loss(*values).backward()
    with Waits() as waits:
        loss(*values).backward()
    assert not waits.found


def test_the_differentiable_jpeg_waits_neither_forth_nor_back() -> None:
    pictures, quality = images(2, 3, 24, 40).requires_grad_(), torch.tensor([40, 90])
    jpeg(pictures, quality).sum().backward()
    with Waits() as waits:
        jpeg(pictures, quality).sum().backward()
    assert not waits.found


def test_a_value_that_is_read_and_a_constant_that_is_copied_are_counted() -> None:
    numbers = torch.rand(3)
    with Waits() as waits:
        float(numbers.sum())
        numbers.new_tensor([1.0])
        torch.tensor([1.0], device=numbers.device)
        numbers[numbers > 2]
    assert sum(waits.found.values()) == 4

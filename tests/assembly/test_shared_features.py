"""Feature networks that a config describes alike are one network in all of a run, and none outlives its run."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from runs import sr_config
from toolbox.assembly.build import build_algorithm, build_component
from toolbox.assembly.runner import build_runner
from toolbox.assembly.shared_features import shared_features
from toolbox.config import Config
from toolbox.weights.state import portable_state

TINY = {"type": "RandomFeatures", "width": 2}


def perceptual(features: dict[str, Any], layer: str = "relu1_1", **more: Any) -> dict[str, Any]:
    return {"type": "PerceptualLoss", "features": features, "layers": {layer: 1.0}, **more}


def model(folder: Path, *losses: dict[str, Any]) -> dict[str, Any]:
    return sr_config(folder, losses={"pixel": [*losses]})["model"]


def test_losses_share_a_network_of_the_same_arguments_and_no_other(tmp_path: Path) -> None:
    alike = [TINY, {"type": "features/RandomFeatures", "width": 2, "seed": 0}, {**TINY, "seed": 1}]
    found = [
        each.module.features for each in build_algorithm(model(tmp_path, *map(perceptual, alike))).parts.losses["pixel"]
    ]
    assert found[0] is found[1] and found[2] is not found[0]


def test_two_assemblies_share_nothing(tmp_path: Path) -> None:
    config = model(tmp_path, perceptual(TINY))
    first, second = (build_algorithm(config).parts.losses["pixel"][0].module.features for _ in range(2))
    assert first is not second
    alone = [build_component("losses", perceptual(TINY)).features for _ in range(2)]
    assert alone[0] is not alone[1]
    with shared_features():
        together = [build_component("losses", perceptual(TINY)).features for _ in range(2)]
    assert together[0] is together[1]
    gone = weakref.ref(together[0])
    del together
    gc.collect()
    assert gone() is None


@pytest.fixture
def runner(tmp_path: Path) -> Any:
    losses = [perceptual(TINY), perceptual(TINY, "relu2_1")]
    data = sr_config(tmp_path, losses={"pixel": losses})
    metric = {"type": "FeatureDistance", "prediction": "sr", "reference": "hr", "features": TINY}
    return build_runner(Config({**data, "val_evaluator": [*data["val_evaluator"], metric]}, tmp_path / "c.yaml"))


def test_metrics_share_with_the_losses_of_their_run(runner: Any) -> None:
    losses = runner.algorithm.parts.losses["pixel"]
    (metric,) = [each for each in runner._val_evaluator.metrics if hasattr(each, "features")]
    assert metric.features is losses[0].module.features is losses[1].module.features


def test_a_shared_network_is_in_no_checkpoint_and_a_run_with_one_trains_and_validates(runner: Any) -> None:
    assert not any("losses" in key or "features" in key for key in portable_state(runner.algorithm))
    features = runner.algorithm.parts.losses["pixel"][0].module.features
    passes: list[Any] = []
    features.features[0].register_forward_hook(lambda *_: passes.append(torch.is_grad_enabled()))
    runner.train()
    assert passes[:2] == [True, False], "one pass over the fakes, one over the target"
    assert sum(passes) == 6, "one with gradients in each iteration"

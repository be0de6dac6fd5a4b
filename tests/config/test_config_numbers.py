"""Numbers that nothing can be trained with are refused wherever they stand, before anything is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toolbox.config import Config, check_structure
from toolbox.config.numbers import not_a_number
from toolbox.io.errors import ConfigError

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"optim_wrapper": {"generator": {"optimizer": {"lr": NAN}}}}, "optim_wrapper.generator.optimizer.lr"),
        ({"optim_wrapper": {"generator": {"optimizer": {"lr": INF}}}}, "optim_wrapper.generator.optimizer.lr"),
        ({"optim_wrapper": {"generator": {"optimizer": {"betas": [0.5, -INF]}}}},
         "optim_wrapper.generator.optimizer.betas.1"),
        ({"param_scheduler": {"generator": [{"gamma": INF}]}}, "param_scheduler.generator.0.gamma"),
        ({"model": {"degradation": {"sigma": [0.1, NAN]}}}, "model.degradation.sigma.1"),
        ({"model": {"variant": {"regularizers": [{"weight": NAN}]}}}, "model.variant.regularizers.0.weight"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_named_by_its_path(data: dict[str, Any], path: str) -> None:
    found = not_a_number(data)
    assert found is not None and found[0] == path


def test_infinity_may_stand_for_no_limit_and_for_the_largest_gradient() -> None:
    assert not_a_number({"model": {"limit": INF, "steps": [1, 2.0, "inf", None, True]}}) is None
    assert not_a_number({"optim_wrapper": {"generator": {"clip_grad": {"max_norm": 1.0, "norm_type": INF}}}}) is None


@pytest.mark.parametrize(
    ("section", "key", "most"),
    [
        ("train_dataloader", "num_workers", "1,024"),
        ("val_dataloader", "num_workers", "1,024"),
        ("train_dataloader", "batch_size", "1,000,000"),
        ("train_cfg", "max_iters", "1,000,000,000,000,000"),
        ("randomness", "seed", "4,611,686,018,427,387,904"),
    ],
)
def test_counts_that_would_only_fill_memory_are_refused(section: str, key: str, most: str) -> None:
    given: dict[str, Any] = {"dataset": {"type": "ImageFolder"}} if section.endswith("dataloader") else {}
    data = {"model": {"type": "SRGAN"}, section: {**given, key: 10**23}}
    with pytest.raises(ConfigError, match=rf"{section}\.{key}: must be {most} at most, got 1000"):
        check_structure(Config(data, Path("c.yaml")))

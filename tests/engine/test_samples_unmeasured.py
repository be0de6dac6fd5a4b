"""Without validation data a run still shows what it makes, and is bit for bit the run that shows nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from runs import command, sr_config, style_config, weights, write_config


def unmeasured(config: dict[str, Any], name: str, **hooks: Any) -> dict[str, Any]:
    """A config of six iterations without validation."""
    made = {key: value for key, value in config.items() if not key.startswith("val_")}
    work_dir = str(Path(made["work_dir"]).with_name(name))
    return {**made, "default_hooks": {**made["default_hooks"], **hooks}, "work_dir": work_dir}


@pytest.mark.parametrize("make", [sr_config, style_config])
def test_a_run_without_validation_data_shows_its_training_batches_and_is_not_disturbed(
    make: Any, tmp_path: Path
) -> None:
    config = make(tmp_path)
    for name, hooks in (("shown", {}), ("silent", {"samples": None})):
        assert command("train", write_config(unmeasured(config, name, **hooks), tmp_path / f"{name}.yaml")) == 0
    sheets = sorted(path.name for path in (tmp_path / "shown/samples").iterdir())
    assert sheets == ["iter_3.png", "iter_6.png"]
    assert not (tmp_path / "silent/samples").exists()
    first, second = (weights(tmp_path / name / "iter_6.pth") for name in ("shown", "silent"))
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)

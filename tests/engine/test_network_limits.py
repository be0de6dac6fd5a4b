"""A network that no machine could hold is refused while it is built, not by the machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from runs import refused, sr_config, write_config
from toolbox.engine import network_limits
from toolbox.engine.network_limits import limited_networks
from toolbox.io.errors import UserError


def test_a_width_of_too_many_zeros_is_refused_before_it_is_filled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    line = refused(capsys, "train", config, "--cfg-options", "model.generator.width=100000000")
    assert "model.generator: ResidualCNN: " in line and line.endswith("choose smaller numbers")


def test_so_is_a_network_of_too_many_layers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_limits, "MOST_PARAMETERS", 50)
    config = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    line = refused(capsys, "train", config, "--cfg-options", "model.generator.blocks=1000")
    assert "model.generator: ResidualCNN: it has more than 50 tensors of weights" in line


def test_weights_are_counted_together_and_only_within(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_limits, "machine_memory", lambda: 4 * 4 * 1000)
    with limited_networks():
        nn.Linear(30, 30)  # 930 numbers
    nn.Linear(100, 100)
    with torch.device("meta"), limited_networks():
        nn.Linear(100, 100)
    with pytest.raises(UserError, match="its weights alone would take"), limited_networks():
        nn.ModuleList(nn.Linear(30, 30) for _ in range(2))

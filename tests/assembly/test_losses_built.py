"""How losses are built: nothing in them trains, they nest, and a file that is not there is one line with its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from made_up import Install
from runs import command, sr_config, write_config
from toolbox.assembly.build import build_component
from toolbox.config.signature import check_arguments
from toolbox.contracts.nested import nested_kinds
from toolbox.io.errors import ConfigError
from toolbox.plugins.manager import PluginManager, use
from toolbox.plugins.registry import registry

PLUGIN = '''
"""Losses that hold other things."""

from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from torch import Tensor, nn

from toolbox import CheckpointFormat, Loss, hookimpl


class Sum(Loss):
    """Its parts, each times its share, and a last one."""

    def __init__(self, *, parts: list[Loss], shares: list[float], last: Loss | None = None) -> None:
        super().__init__()
        self.parts, self.shares, self.last = nn.ModuleList(parts), shares, last

    def forward(self, *values: Tensor) -> Tensor:
        total = sum(share * part(*values) for share, part in zip(self.shares, self.parts, strict=True))
        return total if self.last is None else total + self.last(*values)


class Learned(Loss):
    """An L1 with a learned gain."""

    def __init__(self, *, frozen: bool = False) -> None:
        super().__init__()
        self.gain = nn.Linear(1, 1)
        self.gain.requires_grad_(not frozen)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).abs().mean() * self.gain.weight.squeeze().abs()


class FromFile(Learned):
    """Reads a file."""

    def __init__(self, *, table: str) -> None:
        super().__init__(frozen=True)
        open(table).close()


class Holder(Loss):
    """Holds what is no network."""

    def __init__(self, *, metric: BaseMetric, hooks: list[Hook], layout: CheckpointFormat) -> None:
        super().__init__()
        self.held = metric, hooks, layout


@hookimpl
def register_losses(register) -> None:
    for each in (Sum, Learned, FromFile, Holder):
        register(each.__name__, each)
'''


@pytest.fixture(autouse=True)
def plugin(install: Install) -> None:
    install("sums", PLUGIN)
    use(PluginManager())


def refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str], pixel: Any) -> str:
    config = sr_config(tmp_path, losses={"pixel": pixel})
    assert command("train", write_config(config, tmp_path / "run.yaml"), "--dry-run") == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_a_loss_is_built_of_losses() -> None:
    loss = build_component("losses", {
        "type": "Sum", "parts": [{"type": "L1Loss"}, {"type": "MSELoss"}], "shares": [2.0, 10.0],
        "last": {"type": "Sum", "parts": [{"type": "L1Loss"}], "shares": [0.5]},
    })  # fmt: skip
    value = loss(torch.full((1, 3, 4, 4), 0.3), torch.zeros(1, 3, 4, 4))
    torch.testing.assert_close(value, torch.tensor(2.5 * 0.3 + 10 * 0.09))


def test_metrics_hooks_and_formats_nest_by_their_bases() -> None:
    holder = registry("losses").get("Holder")
    assert nested_kinds(holder) == {"metric": "metrics", "hooks": "hooks", "layout": "formats"}
    metric = {"type": "PSNR", "prediction": "a", "reference": "b"}
    config = {"metric": metric, "hooks": [{"type": "HealthMonitor"}], "layout": {"type": "RRDBNetBasicSR"}}
    check_arguments(holder, config, "loss", None)
    held = build_component("losses", {"type": "Holder", **config}).held
    assert [type(each).__name__ for each in (held[0], held[1][0], held[2])] == [
        "PSNR", "HealthMonitor", "RRDBNetBasicSR",
    ]  # fmt: skip


def test_a_weight_inside_another_loss_is_refused_instead_of_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixel = {"type": "Sum", "parts": [{"type": "L1Loss", "weight": 3.0}], "shares": [1.0]}
    said = "model.losses.pixel.parts.0.weight: the loss around it weighs it"
    assert said in refusal(tmp_path, capsys, pixel)
    with pytest.raises(ConfigError, match="weight"):
        build_component("losses", pixel, "pixel")


def test_a_loss_that_would_train_is_refused_with_its_key_and_both_ways_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(tmp_path, capsys, [{"type": "L1Loss"}, {"type": "Learned"}])
    assert said.endswith(
        "model.losses.pixel.1: Learned would train (gain.weight, gain.bias), and no checkpoint holds a loss; freeze it "
        "with requires_grad_(False), or make it a network of an algorithm"
    )
    inner = refusal(tmp_path, capsys, {"type": "Sum", "parts": [{"type": "Learned"}], "shares": [1.0]})
    assert "model.losses.pixel: Sum would train (parts.0.gain.weight, parts.0.gain.bias)" in inner


def test_a_frozen_network_inside_a_loss_is_welcome(tmp_path: Path) -> None:
    config = sr_config(tmp_path, losses={"pixel": {"type": "Learned", "frozen": True}})
    assert command("train", write_config(config, tmp_path / "run.yaml"), "--dry-run") == 0


def test_a_file_that_a_constructor_does_not_find_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(tmp_path, capsys, {"type": "FromFile", "table": "nowhere.csv"})
    assert said.endswith("model.losses.pixel: FromFile: No such file or directory: nowhere.csv")

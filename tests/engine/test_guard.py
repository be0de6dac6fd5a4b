"""Steps with a NaN are skipped, counted, and stop the run when they do not end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapperDict
from torch import nn

from runs import command, sr_config, weights, write_config
from toolbox.engine.guard import GuardHook, check_work_dir
from toolbox.engine.optimizers import GuardedOptimWrapper
from toolbox.io.errors import RunFailed, UserError

PLUGIN = '''
"""A loss that turns NaN from its fourth call on."""
from torch import nn
from toolbox import hookimpl


class Breaks(nn.Module):
    """NaN after `good` calls."""

    def __init__(self, *, good: int = 3) -> None:
        super().__init__()
        self.good = good

    def forward(self, prediction, target):
        self.good -= 1
        return (prediction - target).abs().mean() * (1.0 if self.good >= 0 else float("nan"))


@hookimpl
def register_losses(register):
    register("Breaks", Breaks)
'''


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.SGD])
def test_a_step_with_a_nan_gradient_changes_nothing_and_is_counted(optimizer: Any, fused: bool) -> None:
    layer = nn.Linear(2, 2)
    wrapper = GuardedOptimWrapper(optimizer=optimizer(layer.parameters(), lr=0.1, fused=fused))
    twin = nn.Linear(2, 2)
    twin.load_state_dict(layer.state_dict())
    reference = optimizer(twin.parameters(), lr=0.1, fused=fused)
    for step, factor in enumerate([1.0, float("nan"), float("inf"), 1.0]):
        inputs = torch.full((1, 2), float(step + 1))
        before = layer.weight.detach().clone()
        wrapper.update_params(layer(inputs).square().sum() * factor)
        if factor == 1.0:
            reference.zero_grad()
            twin(inputs).square().sum().backward()
            reference.step()
        else:
            assert torch.equal(layer.weight, before)
    assert torch.equal(layer.weight, twin.weight), "a skipped step left a trace in the optimizer"
    assert wrapper.count_skipped() == (2, 0) == wrapper.count_skipped()


def test_gradients_are_clipped_before_the_step() -> None:
    layer = nn.Linear(1, 1, bias=False)
    start = layer.weight.item()
    wrapper = GuardedOptimWrapper(optimizer=torch.optim.SGD(layer.parameters(), lr=1.0), clip_grad={"max_norm": 0.5})
    wrapper.update_params(layer(torch.full((1, 1), 100.0)).sum())
    assert layer.weight.item() == pytest.approx(start - 0.5, abs=1e-4)


def test_a_run_that_stays_nan_stops_names_the_loss_and_keeps_good_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = tmp_path / "breaks.py"
    plugin.write_text(PLUGIN)
    config = sr_config(tmp_path, losses={"pixel": {"type": "Breaks"}})
    config["train_cfg"] = {"max_iters": 100, "val_interval": 1000}
    config["default_hooks"] |= {"guard": {"interval": 1, "patience": 5}}
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file, "-p", plugin) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("failed: the gradient of the generator was not finite 5 times in a row, at iteration 8")
    assert "g/pixel not finite" in line
    kept = weights(tmp_path / "run" / "iter_6.pth")
    assert all(torch.isfinite(value).all() for value in kept.values() if value.is_floating_point())


def test_the_guard_waits_for_its_patience(tmp_path: Path) -> None:
    class Runner:
        work_dir = str(tmp_path)
        optimizers = OptimWrapperDict(
            generator=GuardedOptimWrapper(optimizer=torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1))
        )

        class logger:
            warning = staticmethod(lambda *arguments: None)

    guard = GuardHook(interval=1, patience=3)
    Runner.optimizers["generator"].bad.extend([torch.ones(())] * 5 + [torch.zeros(())] + [torch.ones(())] * 2)
    guard.after_train_iter(Runner(), 0, outputs={})
    Runner.optimizers["generator"].bad.append(torch.ones(()))
    with pytest.raises(RunFailed, match="3 times in a row, at iteration 2; no checkpoint was written yet"):
        guard.after_train_iter(Runner(), 1, outputs={})


def test_a_disk_too_full_for_two_checkpoints_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    check_work_dir(tmp_path, nn.Linear(10, 10))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 100))  # pyright: ignore
    with pytest.raises(UserError, match="MiB are free and two checkpoints need"):
        check_work_dir(tmp_path, nn.Linear(10, 10))

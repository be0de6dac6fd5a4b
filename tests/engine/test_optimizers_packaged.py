"""Optimizers of pytorch-optimizer by name, warm-up by one key, switch EMA: each resumes exactly."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from runs import command, refused, sr_config, weights, write_config
from toolbox.engine.optimizers import build_optimizers
from toolbox.engine.packaged_optimizers import COUNTED, PACKAGED
from toolbox.engine.resuming import restore_optimizers
from toolbox.engine.schedule_free import averaged_weights
from toolbox.engine.schedules import warmed
from toolbox.weights.checkpoint import read_checkpoint


class Only(nn.Module):
    """One network under the name of a generator's slot."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.generator = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 3, 1))


def stepping(name: str) -> tuple[Only, Any]:
    model = Only()
    optimizer = {"generator": {"optimizer": {"type": name, "lr": 1e-3}}}
    return model, build_optimizers(model, optimizer, amp=None, device_type="cpu")


def step(model: Only, optimizers: Any, seed: int, *, broken: bool = False, still: bool = False) -> None:
    """One step on made-up pictures; `broken` with a gradient that is not finite, `still` without one of the first."""
    pictures = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    loss = (model.generator(pictures) - pictures).square().mean()
    wrapper = optimizers["generator"]
    wrapper.zero_grad()
    (loss * float("inf") if broken else loss).backward()
    if still:
        for parameter in model.generator[0].parameters():
            parameter.grad = None
    wrapper.step()


@pytest.mark.parametrize("name", PACKAGED)
def test_each_learns_skips_leaves_alone_and_goes_on_exactly(name: str) -> None:
    model, optimizers = stepping(name)
    before = copy.deepcopy(model.state_dict())
    step(model, optimizers, 0, broken=True)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items()), "a broken step counted"
    step(model, optimizers, 1, still=True)
    step(model, optimizers, 2, still=True)
    after = model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before if ".0." in key), "what stands still moved"
    assert any(not torch.equal(before[key], after[key]) for key in before if ".2." in key), "nothing was learned"
    step(model, optimizers, 3)
    other, theirs = stepping(name)
    other.load_state_dict(copy.deepcopy(model.state_dict()))
    theirs["generator"].load_state_dict(copy.deepcopy(optimizers["generator"].state_dict()))
    for seed in (4, 5):
        step(model, optimizers, seed), step(other, theirs, seed)
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", PACKAGED)
def test_what_its_groups_count_goes_on_at_another_rate(name: str) -> None:
    """A count that began anew would correct moments for a bias that they have no more: steps many times as long."""
    model, optimizers = stepping(name)
    fresh = dict(optimizers["generator"].param_groups[0])
    for seed in range(3):
        step(model, optimizers, seed)
    group = optimizers["generator"].param_groups[0]
    counted = {key for key in group if key != "params" and (key not in fresh or fresh[key] != group[key])}
    assert "step" in counted and counted <= set(COUNTED)
    _, theirs = stepping(name)
    state = {"generator": optimizers["generator"].state_dict()}
    checkpoint = {
        "meta": {"iter": 3, "schedules": {}, "optimizers": {"generator": {"optimizer": {"type": name, "lr": 1e-3}}}},
        "optimizer": state,
        "param_schedulers": {},
    }
    settings = {"optim_wrapper": {"generator": {"optimizer": {"type": name, "lr": 5e-4}}}, "param_scheduler": {}}
    restore_optimizers(theirs, {}, checkpoint, settings, logging.getLogger("test"))
    resumed = theirs["generator"].param_groups[0]
    assert all(torch.equal(torch.as_tensor(resumed[key]), torch.as_tensor(group[key])) for key in counted)


def run(folder: Path, name: str, **model: Any) -> dict[str, Any]:
    config = sr_config(folder, **model)
    config["optim_wrapper"] = {group: {"optimizer": {"type": name, "lr": 1e-3}} for group in config["optim_wrapper"]}
    return config


def resumed_and_whole(folder: Path, config: dict[str, Any]) -> tuple[Path, Path]:
    """The final checkpoints of a run that was interrupted, and of one that was not."""
    assert command("train", write_config({**config, "work_dir": str(folder / "whole")}, folder / "w.yaml")) == 0
    file = write_config(config, folder / "run.yaml")
    assert command("train", file, "--stop-at", "4") == 0
    torch.manual_seed(456)
    assert command("train", file, "--resume") == 0
    return folder / "run/iter_6.pth", folder / "whole/iter_6.pth"


@pytest.mark.parametrize("name", ["Adan", "Prodigy", "SOAP", "ScheduleFreeAdamW"])
def test_a_run_resumes_bit_exactly(name: str, tmp_path: Path) -> None:
    resumed, whole = resumed_and_whole(tmp_path, run(tmp_path, name, ema=None))
    expected, found = weights(whole), weights(resumed)
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    states = [read_checkpoint(each)["optimizer"]["generator"] for each in (whole, resumed)]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    for one, other in zip(*(each.get("trained", []) for each in states), strict=True):
        assert torch.equal(one, other)


def test_schedule_free_predicts_with_its_average_and_trains_on_bit_for_bit() -> None:
    model, optimizers = stepping("ScheduleFreeAdamW")
    for seed in range(4):
        step(model, optimizers, seed)
    trained = copy.deepcopy(model.state_dict())
    steps = optimizers["generator"].optimizer.state
    with averaged_weights(optimizers):
        average = copy.deepcopy(model.state_dict())
        with averaged_weights(optimizers):
            assert torch.equal(model.state_dict()["generator.0.weight"], average["generator.0.weight"])
        kept = optimizers["generator"].state_dict()["trained"]
        assert torch.equal(kept[0], trained["generator.0.weight"])
    assert all(torch.equal(value, trained[key]) for key, value in model.state_dict().items())
    # the trained point is 0.9 of the average and 0.1 of the last step's own, z
    z = steps[model.generator[0].weight]["z"]
    expected = 0.9 * average["generator.0.weight"] + 0.1 * z
    assert torch.allclose(trained["generator.0.weight"], expected, atol=1e-6)


def test_a_checkpoint_holds_what_was_measured(tmp_path: Path) -> None:
    config = run(tmp_path, "ScheduleFreeAdamW", ema=None)
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    checkpoint = read_checkpoint(tmp_path / "run/iter_6.pth")
    trained = checkpoint["optimizer"]["generator"]["trained"]
    key = next(name for name in checkpoint["state_dict"] if name.startswith("generator."))
    assert not torch.equal(checkpoint["state_dict"][key], trained[0])


@pytest.mark.parametrize(
    ("optimizer", "told"),
    [
        ({"type": "Adam2n"}, "did you mean 'Ada"),
        ({"type": "Adan", "learning_rate": 1.0}, "Adan has no such argument"),
        ({"type": "Adan", "lr": "fast"}, "lr: wants a number, got 'fast'"),
        ({"type": "SAM"}, "optimizer.type"),
        ({"type": "ScheduleFreeSGD"}, "model.ema: ScheduleFreeSGD averages the weights itself; write ema: null"),
    ],
)
def test_a_mistake_is_one_line(
    optimizer: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = sr_config(tmp_path)
    config["optim_wrapper"]["generator"] = {"optimizer": optimizer}
    line = refused(capsys, "train", write_config(config, tmp_path / "run.yaml"), "--dry-run")
    assert told in line


def test_a_missing_package_is_one_line_and_an_unused_one_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(name: str) -> None:
        raise AssertionError(f"the package was imported for {name}")

    monkeypatch.setattr("toolbox.engine.packaged_optimizers._imported", never)
    assert command("train", write_config(sr_config(tmp_path), tmp_path / "plain.yaml"), "--dry-run") == 0
    monkeypatch.setattr("toolbox.engine.packaged_optimizers.PACKAGE", "no_such_package")
    line = refused(capsys, "train", write_config(run(tmp_path, "Adan"), tmp_path / "run.yaml"), "--dry-run")
    assert "optimizer.type: Adan is not in torch.optim; pip install 'gan-toolbox[optimizers]' brings it" in line


def test_warmup_is_one_key_and_other_schedules_begin_behind_it_or_go_on_beside() -> None:
    cosine, steps = {"type": "CosineAnnealingLR", "eta_min": 1e-6}, {"type": "MultiStepLR", "milestones": [4]}
    made: Any = warmed({"generator": {"warmup": 3}, "discriminator": {}}, {"generator": [cosine, steps]})
    assert made["generator"] == [
        {"type": "LinearLR", "start_factor": 1 / 3, "end": 3},
        {"begin": 3, **cosine},
        steps,
    ]
    assert warmed({"generator": {}}, None) is None
    told = warmed({"generator": {"warmup": 3}}, {"generator": {**cosine, "begin": 1}})
    assert told is not None and told["generator"][1]["begin"] == 1


def test_a_rate_grows_over_the_warmup_and_resumes_exactly(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    config["param_scheduler"] = None
    config["optim_wrapper"]["generator"] = {"optimizer": {"type": "Adam", "lr": 0.01}, "warmup": 5}
    config["default_hooks"]["checkpoint"] = {"interval": 1, "max_keep_ckpts": 6}
    resumed, whole = resumed_and_whole(tmp_path, config)
    rates = [
        read_checkpoint(tmp_path / f"whole/iter_{n}.pth")["optimizer"]["generator"]["param_groups"][0]["lr"]
        for n in (1, 2, 4, 6)
    ]
    assert rates == pytest.approx([0.004, 0.006, 0.01, 0.01])  # of the steps that come next
    expected, found = weights(whole), weights(resumed)
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_switch_ema_puts_the_average_into_the_network_and_resumes_exactly(tmp_path: Path) -> None:
    config = sr_config(tmp_path, ema_switch=3)
    resumed, whole = resumed_and_whole(tmp_path, config)
    expected, found = weights(whole), weights(resumed)
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    names = [name for name in expected if name.startswith("generator.")]
    assert names and all(torch.equal(expected[f"generator_ema.{n[10:]}"], expected[n]) for n in names), "6 is due"


@pytest.mark.parametrize(("model", "told"), [({"ema": None}, "write ema too"), ({"ema_switch": 0}, "wants 1 step")])
def test_a_switch_without_an_average_is_refused(
    model: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = sr_config(tmp_path, **{"ema_switch": 2, **model})
    line = refused(capsys, "train", write_config(config, tmp_path / "run.yaml"), "--dry-run")
    assert "model.ema_switch" in line and told in line

"""`load_from` begins a run with somebody else's weights: any known format, for the generator and its average."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from runs import command, sr_config, style_config, weights, write_config
from toolbox_plugins.cyclegan.generator import ResnetGenerator
from toolbox_plugins.esrgan.rrdbnet import RRDBNet

SMALL: dict[str, Any] = {"width": 8, "blocks": 1, "growth": 4, "scale": 2}


def published(seed: int = 1) -> dict[str, Tensor]:
    """The state of a small RRDBNet, as BasicSR names it."""
    torch.manual_seed(seed)
    return RRDBNet(**SMALL).state_dict()


def standing_still(folder: Path, **model: Any) -> dict[str, Any]:
    """A run whose rate is 0, so that the weights it saves are those it began with."""
    config = sr_config(folder, generator={"type": "RRDBNet", **SMALL}, **model)
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    config["param_scheduler"] = None
    for group in config["optim_wrapper"].values():
        group["optimizer"] = {"type": "SGD", "lr": 0.0}
    return config


@pytest.mark.parametrize("wrapped", ["params_ema", "state_dict", None])
def test_a_run_begins_with_published_weights_in_its_network_and_its_average(wrapped: str | None, tmp_path: Path):
    state = published()
    content = state if wrapped is None else {wrapped: state}
    if wrapped == "state_dict":  # as MMagic writes
        content = {"meta": {"mmengine_version": "0.10"}, wrapped: {f"generator.{k}": v for k, v in state.items()}}
    torch.save(content, tmp_path / "official.pth")
    config = standing_still(tmp_path) | {"load_from": str(tmp_path / "official.pth")}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    found = weights(tmp_path / "run" / "iter_2.pth")
    for key, value in state.items():
        assert torch.equal(found[f"generator.{key}"], value)
        assert torch.allclose(found[f"generator_ema.{key}"], value, atol=1e-7)


def test_another_network_is_refused_with_both_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    torch.save(published(), tmp_path / "official.pth")
    config = standing_still(tmp_path) | {"load_from": str(tmp_path / "official.pth")}
    config["model"]["generator"] = {"type": "ResidualCNN", "width": 8, "blocks": 1, "scale": 2}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    error = capsys.readouterr().err
    assert "official.pth: holds a RRDBNet" in error and "not this ResidualCNN" in error


def test_a_file_of_one_network_does_not_say_which_of_two_it_is_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    torch.save(published(), tmp_path / "official.pth")
    config = style_config(tmp_path) | {"load_from": str(tmp_path / "official.pth")}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    error = capsys.readouterr().err
    assert "holds one network of generator_ab, generator_ba: which?" in error and "{generator_ab: " in error


TINY: dict[str, Any] = {"width": 4, "blocks": 1}


def test_each_of_two_generators_begins_with_a_file_of_its_own(tmp_path: Path):
    files: dict[str, str] = {}
    states: dict[str, dict[str, Tensor]] = {}
    for seed, slot in enumerate(("generator_ab", "generator_ba")):
        torch.manual_seed(seed)
        states[slot] = ResnetGenerator(**TINY).state_dict()
        files[slot] = str(tmp_path / f"{slot}.pth")
        torch.save(states[slot], files[slot])
    generator = {"type": "ResnetGenerator", **TINY}
    config: dict[str, Any] = style_config(tmp_path, generator_ab=generator, generator_ba=generator)
    config["load_from"] = files
    config["train_cfg"], config["param_scheduler"] = {"max_iters": 2, "val_interval": 2}, None
    for group in config["optim_wrapper"].values():
        group["optimizer"] = {"type": "SGD", "lr": 0.0}
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file) == 0
    found = weights(tmp_path / "run" / "iter_2.pth")
    for slot, state in states.items():
        for key, value in state.items():
            assert torch.equal(found[f"{slot}.{key}"], value)
            assert torch.allclose(found[f"{slot}_ema.{key}"], value, atol=1e-7)
    assert command("train", file, "--cfg-options", "resume=true", "work_dir=" + str(tmp_path / "other")) == 2


def test_a_slot_that_the_algorithm_lacks_is_refused_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    config = style_config(tmp_path) | {"load_from": {"generator_a": "official.pth"}}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    assert "load_from.generator_a: there is no such network; did you mean" in capsys.readouterr().err

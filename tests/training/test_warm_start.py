"""`load_from` begins a run with somebody else's weights: any known format, for the generator and its average."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from runs import command, pictures, sr_config, style_config, weights, write_config
from toolbox.io.images import read_image
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


# ---------------------------------------------------------------------- networks of other runs


def stages(folder: Path) -> tuple[Path, Path]:
    """Checkpoints of a style transfer and of a x2 super-resolution, both with averages."""
    style = style_config(folder / "style") | {"train_cfg": {"max_iters": 2}}
    sr = sr_config(folder / "sr", generator={"type": "ResidualCNN", "width": 8, "blocks": 1, "scale": 2}, ema=0.5)
    found = []
    for name, config in (("style", style), ("sr", sr | {"train_cfg": {"max_iters": 2}})):
        config = {key: value for key, value in config.items() if not key.startswith("val_")}
        assert command("train", write_config(config, folder / f"{name}.yaml")) == 0
        found.append(Path(config["work_dir"]) / "iter_2.pth")
    return found[0], found[1]


def pipeline(folder: Path, **load_from: str) -> dict[str, Any]:
    """A cascade of both, tested on pictures whose large originals are the reference."""
    config = sr_config(folder)
    config["model"] = {
        "type": "Cascade",
        "first": {"type": "ResidualCNN", "width": 8, "blocks": 1},
        "second": {"type": "ResidualCNN", "width": 8, "blocks": 1, "scale": 2},
        "degradation": config["model"]["degradation"],
    }
    dataset = config["val_dataloader"]["dataset"] | {"key": "real_a"}
    config["test_dataloader"] = config["val_dataloader"] | {"dataset": dataset}
    config["test_evaluator"] = [{"type": "PSNR", "prediction": "fake_b", "reference": "real_a", "channel": "RGB"}]
    return {key: value for key, value in config.items() if not key.startswith(("val_", "train_", "optim", "param"))} | {
        "load_from": load_from
    }


def test_a_cascade_of_two_runs_is_tested_and_used_by_its_config_alone(tmp_path: Path) -> None:
    style, sr = stages(tmp_path)
    config = pipeline(tmp_path, first=f"{style}:generator_ab", second=f"{sr}:generator")
    file = write_config(config, tmp_path / "both.yaml")
    assert command("test", file) == 0
    photo = pictures(tmp_path / "in", 1, size=24) / "00.png"
    assert command("infer", photo, "-o", tmp_path / "out", "--config", file) == 0
    after: Any = []
    for name, slot, source in (("style", "fake_b", style), ("sr", "sr", sr)):
        given = photo if name == "style" else tmp_path / "style_out" / "00.png"
        network = ("--config", tmp_path / f"{name}.yaml", "--checkpoint", source, "--output", slot)
        assert command("infer", given, "-o", tmp_path / f"{name}_out", *network) == 0
        after = read_image(tmp_path / f"{name}_out" / "00.png")
    together = read_image(tmp_path / "out" / "00.png")
    assert together.shape == (48, 48, 3)
    assert command("export", file, "-o", tmp_path / "two.safetensors") == 0
    assert command("infer", photo, "-o", tmp_path / "again", "--weights", tmp_path / "two_first.safetensors") == 0
    assert (read_image(tmp_path / "again" / "00.png") == together).all()
    assert abs(together.astype(int) - after.astype(int)).max() <= 3  # the picture between was rounded and clipped


@pytest.mark.parametrize(
    ("load_from", "problem"),
    [
        ({"first": "{style}", "second": "{sr}:generator"}, "iter_2.pth: holds several networks; write "),
        ({"first": "{style}:generator_b", "second": "{sr}:generator"}, "holds no generator_b; did you mean"),
        ({"first": "{sr}:generator", "second": "{sr}:generator"}, "does not fit the config's model"),
        ({"second": "{sr}:generator"}, "load_from: names no file for first, which would run untrained"),
        ({"first.body": "{style}:generator_ab"}, "load_from.first.body: there is no such part"),
    ],
)
def test_a_pipeline_with_a_wrong_file_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], load_from: dict[str, str], problem: str
) -> None:
    style, sr = stages(tmp_path)
    named = {key: value.format(style=style, sr=sr) for key, value in load_from.items()}
    if "first.body" in named:
        named |= {"second": f"{sr}:generator"}
    file = write_config(pipeline(tmp_path, **named), tmp_path / "both.yaml")
    capsys.readouterr()
    assert command("test", file) == 2
    error = capsys.readouterr().err.strip()
    assert problem in error and len(error.splitlines()) == 1


def test_a_test_without_any_weights_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = pipeline(tmp_path)
    config.pop("load_from")
    assert command("test", write_config(config, tmp_path / "both.yaml")) == 2
    assert "load_from: name a CHECKPOINT" in capsys.readouterr().err

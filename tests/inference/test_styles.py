"""Styles that a user asks for: AdaIN trained from YAML with a stranger's networks, and `infer --style`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runs import command, pictures, style_config, write_config
from toolbox.io.images import read_image, write_image

PLUGIN = '''
"""A third party's features and decoder in one file."""
import torch
from torch import nn
from toolbox import hookimpl


class Halves(nn.Module):
    """Fixed random convolutions; no base class of the toolbox."""

    layers = ("fine", "coarse")

    def __init__(self):
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        self.register_buffer("one", torch.randn(6, 3, 3, 3, generator=rng) / 5)
        self.register_buffer("two", torch.randn(10, 6, 4, 4, generator=rng) / 8)

    def forward(self, images, layers):
        fine = torch.tanh(nn.functional.conv2d(images, self.one, padding=1))
        coarse = torch.tanh(nn.functional.conv2d(fine, self.two, stride=2, padding=1))
        return {name: {"fine": fine, "coarse": coarse}[name] for name in layers}


class Plain(nn.Module):
    """One transposed convolution."""

    def __init__(self, *, code: int = 10):
        super().__init__()
        self.up = nn.ConvTranspose2d(code, 3, 4, 2, 1)

    def forward(self, code):
        return self.up(code)


@hookimpl
def register_features(register):
    register("Halves", Halves)


@hookimpl
def register_decoders(register):
    register("Plain", Plain)
'''


def adain_config(folder: Path) -> dict[str, Any]:
    """A small AdaIN config of a stranger's networks, in the file `networks.py`."""
    config = style_config(folder)
    (folder / "networks.py").write_text(PLUGIN)
    config["model"] = {
        "type": "AdaIN",
        "encoder": {"type": "Halves"},
        "decoder": {"type": "Plain"},
        "losses": {"content": {"type": "MSELoss"}, "style": {"type": "MomentLoss", "weight": 0.1}},
        "ema": 0.9,
    }
    config["optim_wrapper"].pop("discriminator")
    photos, styles = (config["train_dataloader"]["dataset"][f"root_{which}"] for which in "ab")
    config["val_dataloader"]["dataset"] = {"type": "UnpairedFolders", "root_a": photos, "root_b": f"{styles}/00.png"}
    return config


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained AdaIN: run.yaml, networks.py, run/iter_6.pth, out.pth, and pictures in a and b."""
    folder = tmp_path_factory.mktemp("adain")
    plugin = folder / "networks.py"
    file = write_config(adain_config(folder), folder / "run.yaml")
    assert command("train", file, "-p", plugin) == 0
    found = command("export", file, folder / "run/iter_6.pth", "-o", folder / "out.pth", "-p", plugin)
    assert found == 0
    return folder


def infer(trained: Path, out: Path, *arguments: object) -> int:
    """Paint the first photograph."""
    network = ("--config", trained / "run.yaml", "--checkpoint", trained / "run/iter_6.pth")
    return command("infer", trained / "a/00.png", "-o", out, *network, "-p", trained / "networks.py", *arguments)


def test_a_strangers_encoder_and_decoder_train_from_yaml_alone(trained: Path) -> None:
    assert (trained / "run/iter_6.pth").is_file()
    assert list((trained / "run/samples").glob("iter_6.png"))


def test_a_dry_run_calls_the_encoder_frozen(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("train", trained / "run.yaml", "--dry-run", "-p", trained / "networks.py") == 0
    assert "frozen" in capsys.readouterr().out


def test_the_style_and_its_strength_change_the_painting(trained: Path, tmp_path: Path) -> None:
    for name, arguments in {
        "one": ("--style", trained / "b/00.png"),
        "other": ("--style", trained / "b/01.png"),
        "weak": ("--style", trained / "b/01.png", "--strength", 0.25),
        "none": ("--style", trained / "b/01.png", "--strength", 0),
        "none_either": ("--style", trained / "b/00.png", "--strength", 0),
    }.items():
        assert infer(trained, tmp_path / name, *arguments) == 0
    made = {path.name: read_image(path / "00.png").astype(int) for path in tmp_path.iterdir()}
    assert made["one"].shape == read_image(trained / "a/00.png").shape
    assert np.abs(made["one"] - made["other"]).max() > 2
    assert np.array_equal(made["none"], made["none_either"])
    far, near = (np.abs(made[name] - made["none"]).mean() for name in ("other", "weak"))
    assert 0 < near < far


def test_exported_weights_paint_the_same_and_hold_no_frozen_network(trained: Path, tmp_path: Path) -> None:
    style, plugin = ("--style", trained / "b/00.png"), ("-p", trained / "networks.py")
    assert infer(trained, tmp_path / "a", *style) == 0
    found = command(
        "infer", trained / "a/00.png", "-o", tmp_path / "b", "--weights", trained / "out.pth", *style, *plugin
    )
    assert found == 0
    assert np.array_equal(read_image(tmp_path / "a/00.png"), read_image(tmp_path / "b/00.png"))


def test_styles_in_gray_or_with_transparency_are_taken_as_rgb(trained: Path, tmp_path: Path) -> None:
    gray = (np.random.default_rng(0).random((20, 30)) * 255).astype(np.uint8)
    Image.fromarray(gray).save(tmp_path / "gray.png")
    write_image(tmp_path / "rgb.png", gray[..., None].repeat(3, 2))
    Image.fromarray(np.dstack([gray, gray, gray, gray])).save(tmp_path / "rgba.png")
    for name in ("gray", "rgb", "rgba"):
        assert infer(trained, tmp_path / name, "--style", tmp_path / f"{name}.png") == 0
    made = [read_image(tmp_path / name / "00.png") for name in ("gray", "rgb", "rgba")]
    assert np.array_equal(made[0], made[1]) and np.array_equal(made[1], made[2])


def test_transparency_is_not_painted_in_a_style(trained: Path, tmp_path: Path) -> None:
    alpha = np.full((24, 24), 255, np.uint8)
    alpha[:12] = 0
    colours = read_image(trained / "a/00.png")[:24, :24]
    Image.fromarray(np.dstack([colours, alpha])).save(tmp_path / "cut.png")
    network = (
        "--config",
        trained / "run.yaml",
        "--checkpoint",
        trained / "run/iter_6.pth",
        "-p",
        trained / "networks.py",
    )
    style = ("--style", trained / "b/00.png")
    assert command("infer", tmp_path / "cut.png", "-o", tmp_path / "out", *network, *style) == 0
    with Image.open(tmp_path / "out/cut.png") as image:
        assert np.array_equal(np.array(image)[..., 3], alpha)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--strength", 1.5, "--style", "b/00.png"], "--strength 1.5: must be from 0"),
        (["--strength", "nan", "--style", "b/00.png"], "--strength nan: must be from 0"),
        (["--style", "nowhere.png"], "nowhere.png"),
        (["--style", "networks.py"], "networks.py"),
        (["--seed", -1], "--seed -1: must be 0 or more"),
        (["--seed", 3, "--style", "b/00.png"], "leave one of them out"),
        (["--strength", 0.5], "name one with --style FILE"),
        ([], "name one with --style FILE"),
    ],
)
def test_a_style_that_cannot_be_is_refused_in_one_line(
    arguments: list[Any], told: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [trained / each if str(each).endswith((".png", ".py")) else each for each in arguments]
    assert infer(trained, tmp_path / "out", *given) == 2
    error = capsys.readouterr().err.strip()
    assert told in error and len(error.splitlines()) == 1, error


def test_a_model_of_one_style_takes_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = style_config(tmp_path)
    config["train_cfg"] = {"max_iters": 1}
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file) == 0
    capsys.readouterr()
    network = ("--config", file, "--checkpoint", tmp_path / "run/iter_1.pth")
    photo = pictures(tmp_path / "in", 1) / "00.png"
    for flag, value in (("--style", photo), ("--strength", 0.5), ("--seed", 1)):
        assert command("infer", photo, "-o", tmp_path / "out", *network, flag, value) == 2
        error = capsys.readouterr().err.strip()
        assert "CycleGAN has learned one style for fake_b" in error and len(error.splitlines()) == 1

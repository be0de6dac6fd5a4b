"""A third party's encoder, style encoder and decoder, in one file, train in UNIT and MUNIT from YAML alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runs import command, pictures, style_config, write_config
from toolbox.io.images import read_image

PLUGIN = '''
"""Networks between images and codes, in one file."""
from torch import nn
from toolbox import hookimpl


class Squeeze(nn.Module):
    """One convolution of stride 4."""

    def __init__(self, *, channels: int = 6) -> None:
        super().__init__()
        self.channels, self.multiple = channels, 4
        self.only = nn.Conv2d(3, channels, 4, 4)

    def forward(self, images):
        return self.only(images)


class Mood(nn.Module):
    """The mean colour, mixed."""

    def __init__(self, *, style_channels: int = 5) -> None:
        super().__init__()
        self.style_channels = style_channels
        self.only = nn.Linear(3, style_channels)

    def forward(self, images):
        return self.only(images.mean((2, 3)))


class Unfold(nn.Module):
    """One transposed convolution; a style, if it takes any, is added to the code."""

    def __init__(self, *, channels: int = 6, style_channels: int = 0) -> None:
        super().__init__()
        self.channels, self.style_channels = channels, style_channels
        self.only = nn.ConvTranspose2d(channels, 3, 4, 4)
        self.mood = nn.Linear(style_channels, channels) if style_channels else None

    def forward(self, code, style=None):
        if self.mood is not None:
            code = code + self.mood(style)[..., None, None]
        return self.only(code)


@hookimpl
def register_encoders(register):
    register("Squeeze", Squeeze)


@hookimpl
def register_style_encoders(register):
    register("Mood", Mood)


@hookimpl
def register_decoders(register):
    register("Unfold", Unfold)
'''
L1 = {"type": "L1Loss", "weight": 20.0}
MODELS: dict[str, dict[str, Any]] = {
    "UNIT": {
        "encoder": {"type": "Squeeze"},
        "decoder": {"type": "Unfold"},
        "losses": {"reconstruction": L1, "cycle": L1, "kl": {"type": "KLLoss"}, "kl_cycle": {"type": "KLLoss"}},
    },
    "MUNIT": {
        "content_encoder": {"type": "Squeeze", "channels": 7},
        "style_encoder": {"type": "Mood"},
        "decoder": {"type": "Unfold", "channels": 7, "style_channels": 5},
        "losses": {"reconstruction": L1, "content": {"type": "L1Loss"}, "style": {"type": "L1Loss"}},
    },
}


def config_of(algorithm: str, folder: Path) -> dict[str, Any]:
    """A small run of an algorithm with the third party's networks in both domains."""
    config = style_config(folder)
    judge = {"type": "MultiScaleDiscriminator", "width": 4, "layers": 2, "scales": 2}
    parts = dict(MODELS[algorithm])
    model: dict[str, Any] = {"type": algorithm, "variant": {"type": "LSGAN"}, "losses": parts.pop("losses")}
    for domain in "ab":
        model |= {f"{slot}_{domain}": network for slot, network in parts.items()}
        model[f"discriminator_{domain}"] = judge
    config["model"] = model | {"ema": 0.9, "discriminator_first": True}
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    return config


@pytest.mark.parametrize("algorithm", MODELS)
def test_third_party_networks_train_predict_and_are_exported(algorithm: str, tmp_path: Path) -> None:
    plugin = tmp_path / "codes.py"
    plugin.write_text(PLUGIN)
    file = write_config(config_of(algorithm, tmp_path), tmp_path / "run.yaml")
    assert command("train", file, "-p", plugin) == 0
    checkpoint, photos = tmp_path / "run" / "iter_2.pth", pictures(tmp_path / "photos", 1, 32)
    trained = ("--config", file, "--checkpoint", checkpoint, "-p", plugin)
    assert command("infer", photos, "-o", tmp_path / "one", *trained, "--output", "fake_a") == 0
    target = tmp_path / "exported" / "style.safetensors"
    assert command("export", file, checkpoint, "-o", target, "-p", plugin) == 0
    slot = "decoder_a" if algorithm == "UNIT" else "content_encoder_b"
    weights = target.with_name(f"style_{slot}.safetensors")
    exported = ("--weights", weights, "--output", "fake_a", "-p", plugin)
    assert command("infer", photos, "-o", tmp_path / "two", *exported) == 0
    one, two = (read_image(tmp_path / name / "00.png") for name in ("one", "two"))
    assert (one == two).all()


def test_a_style_is_chosen_by_a_picture_or_by_a_seed(tmp_path: Path) -> None:
    plugin = tmp_path / "codes.py"
    plugin.write_text(PLUGIN)
    file = write_config(config_of("MUNIT", tmp_path), tmp_path / "run.yaml")
    assert command("train", file, "-p", plugin) == 0
    photos = pictures(tmp_path / "photos", 1, 32)
    trained = ("--config", file, "--checkpoint", tmp_path / "run" / "iter_2.pth", "-p", plugin)
    ways = {"none": (), "seed": ("--seed", 7), "picture": ("--style", photos / "00.png")}
    results = []
    for name, flags in ways.items():
        assert command("infer", photos, "-o", tmp_path / name, *trained, *flags) == 0
        results.append(read_image(tmp_path / name / "00.png"))
    assert all((one != other).any() for one, other in zip(results, [*results[1:], results[0]], strict=True))


def test_networks_that_do_not_fit_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = tmp_path / "codes.py"
    plugin.write_text(PLUGIN)
    config = config_of("UNIT", tmp_path)
    config["model"]["decoder_b"] = {"type": "Unfold", "channels": 9}
    assert command("train", write_config(config, tmp_path / "run.yaml"), "-p", plugin) == 2
    error = capsys.readouterr().err
    assert "model.decoder_b: has channels 9, and encoder_a has 6: they must agree" in error
    assert "run.yaml" in error and "Traceback" not in error

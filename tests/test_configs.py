"""Every shipped config is checked and its model built."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from toolbox.check import check
from toolbox.config import load_config
from toolbox.config.shipped import shipped_configs
from toolbox.runner import seeded_algorithm
from toolbox_plugins.features.vgg19 import VGG19

CONFIGS = shipped_configs()


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with random weights in torchvision's layout: configs are built here, not trained."""
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    widths, keys, channels = [64, 64, 128, 128, *[256] * 4, *[512] * 8], {}, 3
    indices = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
    for index, width in zip(indices, widths, strict=True):
        keys[f"features.{index}.weight"] = torch.zeros(width, channels, 3, 3)
        keys[f"features.{index}.bias"] = torch.zeros(width)
        channels = width
    torch.save(keys, path)
    assert VGG19(weights=str(path))
    return path


@pytest.mark.parametrize("name", CONFIGS)
def test_a_shipped_config_builds(name: str, vgg: Path) -> None:
    config = load_config(CONFIGS[name])
    for loss in config.data["model"].get("losses", {}).values():
        if loss.get("features", {}).get("type") == "VGG19":
            loss["features"]["weights"] = str(vgg)
    check(config)
    model = seeded_algorithm(config)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) > 0


@pytest.mark.parametrize("name", CONFIGS)
def test_a_shipped_config_opens_with_its_command_needs_time_and_result(name: str) -> None:
    header = CONFIGS[name].read_text().split("\n\n")[0]
    comments = "\n".join(line for line in header.splitlines() if line.startswith("#"))
    assert f"python tools/train.py configs/{name}" in comments
    for word in ("Needs", "Takes", "Reaches"):
        assert word in comments, f"{name}: the header does not say what it {word.lower()}"


def test_the_published_weights_are_converted_for_images_in_zero_to_one() -> None:
    text = CONFIGS["style/cyclegan.yaml"].read_text()
    assert re.search(r"cycle: .*weight: 20\.0.*published: 10", text)
    assert re.search(r"identity: .*weight: 10\.0.*published: 0\.5 times 10", text)

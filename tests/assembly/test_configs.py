"""Every shipped config is checked and its model built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from toolbox.assembly.build import seeded_algorithm
from toolbox.assembly.check import check
from toolbox.config import load_config
from toolbox.config.shipped import shipped_configs

SHIPPED = shipped_configs()
PRESETS = [name for name in SHIPPED if name.startswith("gan/")]
CONFIGS = {name: path for name, path in SHIPPED.items() if name not in PRESETS and not name.startswith("benchmark/")}
PICTURE = Path(__file__).parents[2] / "configs/demo/photos/train/b/brushes.jpg"


WIDTHS = {"VGG16": [64, 64, 128, 128, *[256] * 3, *[512] * 6], "VGG19": [64, 64, 128, 128, *[256] * 4, *[512] * 8]}
PLACES = {
    "VGG16": [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28],
    "VGG19": [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34],
}


@pytest.fixture(scope="module")
def vggs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files with zeros in torchvision's layout, by network: configs are built here, not trained."""
    folder, files = tmp_path_factory.mktemp("vgg"), {}
    for name, widths in WIDTHS.items():
        keys, channels = {}, 3
        for place, width in zip(PLACES[name], widths, strict=True):
            keys[f"features.{place}.weight"] = torch.zeros(width, channels, 3, 3)
            keys[f"features.{place}.bias"] = torch.zeros(width)
            channels = width
        files[name] = folder / f"{name}.pth"
        torch.save(keys, files[name])
    return files


def with_stand_ins(value: Any, vggs: Mapping[str, Path]) -> Any:
    """A config whose large weights, and pictures that are not in the repository, are replaced by what is at hand."""
    if isinstance(value, list):
        return [with_stand_ins(each, vggs) for each in value]
    if not isinstance(value, Mapping):
        return value
    made = {key: with_stand_ins(each, vggs) for key, each in value.items()}
    if made.get("type") in vggs:
        made["weights"] = str(vggs[made["type"]])
    if made.get("type") == "StyleImagesLoss":
        made["images"] = {name: file if Path(file).exists() else str(PICTURE) for name, file in made["images"].items()}
    for key in ("image", "style"):
        if isinstance(made.get(key), str) and not Path(made[key]).exists():
            made[key] = str(PICTURE)
    return made


@pytest.mark.parametrize("name", CONFIGS)
def test_a_shipped_config_builds(name: str, vggs: dict[str, Path]) -> None:
    config = load_config(CONFIGS[name])
    config.data["model"] = with_stand_ins(config.data["model"], vggs)
    check(config)
    model = seeded_algorithm(config)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) > 0


@pytest.mark.parametrize("name", CONFIGS)
def test_a_shipped_config_opens_with_its_command_needs_time_and_result(name: str) -> None:
    header = CONFIGS[name].read_text().split("\n\n")[0]
    comments = "\n".join(line for line in header.splitlines() if line.startswith("#"))
    trained = load_config(CONFIGS[name]).data.get("train_cfg")
    assert f"python tools/{'train' if trained else 'test'}.py configs/{name}" in comments
    for word in ("Needs", "Takes", "Reaches"):
        assert word in comments, f"{name}: the header does not say what it {word.lower()}"


def test_the_published_weights_are_converted_for_images_in_zero_to_one() -> None:
    text = CONFIGS["style/cyclegan.yaml"].read_text()
    assert re.search(r"cycle: .*weight: 20\.0.*published: 10", text)
    assert re.search(r"identity: .*weight: 10\.0.*published: 0\.5 times 10", text)


def test_the_published_weights_of_neural_style_are_converted_for_sums_over_gram_matrices() -> None:
    losses = load_config(CONFIGS["style/neural_style.yaml"]).data["model"]["losses"]
    published = {"relu1_2": 64, "relu2_2": 128, "relu3_3": 256, "relu4_3": 512}  # layers and their channels
    for layer, channels in published.items():
        assert losses["style_image"]["layers"][layer] == pytest.approx(1e10 / 1e5 / channels**2, rel=5e-3)
    assert losses["content"]["layers"] == {"relu2_2": 1.0}


@pytest.mark.parametrize("name", [name for name in SHIPPED if name.startswith(("own/", "demo/"))])
def test_what_a_newcomer_trains_emulates_nothing(name: str) -> None:
    """On a processor without bfloat16 a step of the demo took 5.6 times as long in it."""
    assert (load_config(SHIPPED[name]).data.get("env_cfg") or {}).get("amp") in (None, "auto")

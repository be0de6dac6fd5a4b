"""GAN presets are laid over any config, and the result trains."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from runs import sr_config
from toolbox.assembly.build import build_algorithm
from toolbox.assembly.check import check
from toolbox.assembly.compatibility import check_combination
from toolbox.config import load_config
from toolbox.config.shipped import shipped_configs
from toolbox.io.errors import ConfigError, UserError
from toolbox.testing.training import batch_for, optimizers_for

PRESETS = [name for name in shipped_configs() if name.startswith("gan/")]
SMALL = """
model:
  generator_ab: &g {_delete_: true, type: ResidualCNN, width: 4, blocks: 1}
  generator_ba: *g
  discriminator_a: &d {_delete_: true, type: PatchDiscriminator, width: 4, layers: 1, norm: none}
  discriminator_b: *d
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped presets and of two recipes, in which a config of one's own may stand."""
    for name in [*PRESETS, "style/cyclegan.yaml", "super_resolution/srgan.yaml", "super_resolution/srresnet.yaml"]:
        target = tmp_path / "configs" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(shipped_configs()[name].read_text())
    return tmp_path / "configs"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_objective_and_optimizers_together_and_trains(folder: Path, preset: str) -> None:
    mine = folder / "mine.yaml"
    mine.write_text(f"_base_: [style/cyclegan.yaml, {preset}]\n{SMALL}")
    config = load_config(mine)
    check(config)
    recipe = load_config(folder / "style/cyclegan.yaml").data
    same = config.data["model"]["variant"] == recipe["model"]["variant"]
    assert same == (preset == "gan/lsgan.yaml")
    assert config.data["model"]["losses"] == recipe["model"]["losses"]
    algorithm = build_algorithm(config.data["model"])
    optimizers = optimizers_for(algorithm)
    for step in range(2 * max(int(v.d_steps) for v in algorithm.variants.values())):
        logs = algorithm.train_step(batch_for(algorithm, seed=step), optimizers)
    assert all(torch.isfinite(value) for value in logs.values()) and "g/cycle" in logs


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_trains_super_resolution(tmp_path: Path, preset: str) -> None:
    folder = tmp_path / "configs"
    (folder / "gan").mkdir(parents=True)
    (folder / preset).write_text(shipped_configs()[preset].read_text())
    (folder / "recipe.yaml").write_text(yaml.safe_dump(sr_config(tmp_path)))
    (folder / "mine.yaml").write_text(f"_base_: [recipe.yaml, {preset}]\n")
    config = load_config(folder / "mine.yaml")
    check(config)
    algorithm = build_algorithm(config.data["model"])
    check_combination(config.data, algorithm)
    optimizers = optimizers_for(algorithm)
    for step in range(2 * max(int(v.d_steps) for v in algorithm.variants.values())):
        logs = algorithm.train_step(batch_for(algorithm, seed=step), optimizers)
    assert all(torch.isfinite(value) for value in logs.values()) and "g/pixel" in logs


@pytest.mark.parametrize("preset", ["gan/r3gan.yaml", "gan/wgan_gp.yaml"])
def test_a_preset_with_a_penalty_names_the_batch_norm_of_the_recipe(folder: Path, preset: str) -> None:
    (folder / "mine.yaml").write_text(f"_base_: [super_resolution/srgan.yaml, {preset}]\n")
    model = {**load_config(folder / "mine.yaml").data["model"], "losses": {"pixel": {"type": "L1Loss"}}}
    with pytest.raises(UserError, match=r"VGGStyleDiscriminator has batch norm.*norm: none"):
        build_algorithm(model)


def test_a_preset_goes_over_super_resolution_too_and_the_file_itself_has_the_last_word(folder: Path) -> None:
    mine = folder / "mine.yaml"
    mine.write_text(
        "_base_: [super_resolution/srgan.yaml, gan/r3gan.yaml]\n"
        "optim_wrapper: {discriminator: {optimizer: {lr: 5e-5}}}\n"
    )
    data = load_config(mine).data
    assert data["model"]["variant"]["type"] == "RpGAN" and data["model"]["type"] == "SRGAN"
    assert data["optim_wrapper"]["discriminator"]["optimizer"] == {"type": "Adam", "lr": 5e-5, "betas": [0.0, 0.99]}
    assert "_override_" not in data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("_override_: true\nmodel: {ema: 0.9}\n", "is a preset, to be laid over a config"),
        ("_override_: 1\nmodel: {ema: 0.9}\n", "wants true"),
        ("_override_: true\n_base_: style/cyclegan.yaml\n", "has no bases of its own"),
    ],
)
def test_a_preset_with_a_mistake_is_refused(folder: Path, text: str, message: str) -> None:
    (folder / "preset.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(folder / "preset.yaml")


def test_two_bases_that_differ_are_still_refused(folder: Path) -> None:
    (folder / "mine.yaml").write_text("_base_: [style/cyclegan.yaml, super_resolution/srgan.yaml]\n")
    with pytest.raises(ConfigError, match="differ in it"):
        load_config(folder / "mine.yaml")

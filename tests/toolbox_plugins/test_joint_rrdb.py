"""StyleRRDBNet is CycleGAN's network and ESRGAN's in a row: exactly so at first, and their files load into it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from runs import command, style_config, weights, write_config
from toolbox.assembly.build import build_algorithm
from toolbox.config import load_config
from toolbox.io.errors import UserError
from toolbox.testing.components import check_generator
from toolbox.testing.training import batch_for, optimizers_for
from toolbox.training.network_call import call_padded
from toolbox_plugins.cyclegan.generator import ResnetGenerator
from toolbox_plugins.esrgan.rrdbnet import RRDBNet
from toolbox_plugins.joint.rrdb import StyleRRDBNet

STYLE: dict[str, Any] = {"width": 4, "blocks": 1}
SR: dict[str, Any] = {"width": 8, "blocks": 2, "growth": 4}
TINY: dict[str, Any] = {**SR, **{f"style_{name}": value for name, value in STYLE.items()}}


def trained_apart(scale: int = 2, seed: int = 0) -> tuple[ResnetGenerator, RRDBNet]:
    """Two networks, both lively, as if each had learned its task."""
    torch.manual_seed(seed)
    made = ResnetGenerator(**STYLE), RRDBNet(scale=scale, **SR)
    for network in made:
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.1)
    return made


def joined(style: ResnetGenerator, upscaler: RRDBNet) -> StyleRRDBNet:
    """Both in one, by strict loading."""
    network = StyleRRDBNet(scale=upscaler.scale, **TINY)
    network.style.load_state_dict(style.state_dict())
    network.upscaler.load_state_dict(upscaler.state_dict())
    return network


@pytest.mark.parametrize("scale", [1, 2, 4])
@torch.no_grad()
def test_at_first_it_is_esrgan_at_strength_0_and_esrgan_after_cyclegan_at_strength_1(scale: int) -> None:
    style, upscaler = trained_apart(scale)
    network, images = joined(style, upscaler), torch.rand(2, 3, 16, 20)
    plain, cascade = upscaler(images), upscaler(style(images))
    assert (plain - cascade).abs().max() > 0.01 and plain.std() > 0.01
    assert torch.allclose(network(images, torch.zeros(2)), plain, atol=1e-5)
    assert torch.allclose(network(images, torch.ones(2)), cascade, atol=1e-5)
    assert torch.equal(network(images), network(images, torch.ones(2)))
    assert torch.allclose(network(images, torch.tensor([0.0, 1.0])), torch.stack([plain[0], cascade[1]]), atol=1e-5)
    half = upscaler((images + style(images)) / 2)
    assert torch.allclose(network(images, torch.full((2,), 0.5)), half, atol=1e-5)


@pytest.mark.parametrize("size", [(33, 47), (16, 16), (5, 7), (2, 9), (1, 1)])
@torch.no_grad()
def test_odd_and_tiny_sizes_are_the_cascades_too(size: tuple[int, int]) -> None:
    style, upscaler = trained_apart(4)
    network, images = joined(style, upscaler), torch.rand(1, 3, *size)
    made = call_padded(network, images)
    assert network.multiple == 4 and made.shape == (1, 3, 4 * size[0], 4 * size[1])
    if min(size) > 4:  # CycleGAN's network takes no less than 8 pixels a side
        right, below = -size[1] % 4, -size[0] % 4
        padded = nn.functional.pad(images, (0, right, 0, below), mode="reflect")
        expected = upscaler(style(padded))[..., : 4 * size[0], : 4 * size[1]]
        assert torch.allclose(made, expected, atol=1e-5)


@torch.no_grad()
def test_factors_and_offsets_are_linear_in_the_strength_and_nothing_at_strength_0() -> None:
    style, upscaler = trained_apart()
    network, images = joined(style, upscaler), torch.rand(1, 3, 16, 16)
    film: Any = network.films[1]
    x, share = torch.rand(1, 8, 4, 4), torch.tensor([[[[0.25]]]])
    for parameter in network.films.parameters():
        nn.init.normal_(parameter)
    assert torch.allclose(film(x, share), x * (1 + film.factor / 4) + film.offset / 4, atol=1e-6)
    assert torch.allclose(network(images, torch.zeros(1)), upscaler(images), atol=1e-5)
    assert (network(images) - upscaler(style(images))).abs().max() > 0.01


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_it_keeps_to_the_contract(scale: int) -> None:
    check_generator(joined(*trained_apart(scale)))
    check_generator(StyleRRDBNet(channels=1, **TINY), channels=1)


def test_by_default_it_has_the_parameters_of_both_papers_and_two_of_each_channel_and_block() -> None:
    with torch.device("meta"):
        count = sum(each.numel() for each in StyleRRDBNet().parameters())
    assert count == 11_378_179 + 16_697_987 + 23 * 64 * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 3}, "scale must be 1, 2, 4 or 8, got 3"),
        ({"channels": 0}, "channels must be at least 1, got 0"),
        ({"style_width": 0}, "style_width must be at least 1, got 0"),
        ({"style_norm": "group"}, "style_norm must be batch, instance, instance_affine or none, got 'group'"),
    ],
)
def test_an_impossible_argument_is_refused_by_its_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        StyleRRDBNet(**{**TINY, **arguments})


# ---------------------------------------------------------------------- published files


def warm(folder: Path, load_from: Mapping[str, str]) -> dict[str, Any]:
    """Two iterations at rate 0, so that the weights that are saved are those it began with."""
    config = style_config(folder)
    judge = {key: value for key, value in config["model"]["discriminator_a"].items() if key != "pool"}
    config["model"] = {
        "type": "StyleSuperResolution",
        "generator_ab": {"type": "StyleRRDBNet", "scale": 2, **TINY},
        "generator_ba": {"type": "ResidualCNN", "width": 4, "blocks": 1},
        "discriminator_texture": judge,
        "variant": {"type": "LSGAN"},
        "degradation": {"type": "BicubicDegradation", "scale": 2},
        "ema": 0.9,
    }
    for group in config["optim_wrapper"].values():
        group["optimizer"] = {"type": "SGD", "lr": 0.0}
    config = {key: value for key, value in config.items() if not key.startswith(("val_", "param_"))}
    return config | {"train_cfg": {"max_iters": 2}, "load_from": dict(load_from)}


def test_a_run_begins_with_the_files_of_cyclegan_and_esrgan_in_its_parts_and_their_averages(tmp_path: Path) -> None:
    style, upscaler = trained_apart()
    torch.save(style.state_dict(), tmp_path / "latest_net_G.pth")
    torch.save({"params_ema": upscaler.state_dict()}, tmp_path / "RRDB_x2.pth")
    files = {
        "generator_ab.style": str(tmp_path / "latest_net_G.pth"),
        "generator_ab.upscaler": str(tmp_path / "RRDB_x2.pth"),
    }
    assert command("train", write_config(warm(tmp_path, files), tmp_path / "run.yaml")) == 0
    found = weights(tmp_path / "run" / "iter_2.pth")
    for part, network in (("style", style), ("upscaler", upscaler)):
        for key, value in network.state_dict().items():
            assert torch.equal(found[f"generator_ab.{part}.{key}"], value)
            assert torch.allclose(found[f"generator_ab_ema.{part}.{key}"], value, atol=1e-6)


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("upscaller", "load_from.generator_ab.upscaller: there is no such part; did you mean 'upscaler'?"),
        ("style", "RRDB_x2.pth: holds a RRDBNet"),
    ],
)
def test_a_part_that_is_not_there_or_is_another_network_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str, problem: str
) -> None:
    torch.save({"params_ema": trained_apart()[1].state_dict()}, tmp_path / "RRDB_x2.pth")
    config = warm(tmp_path, {f"generator_ab.{part}": str(tmp_path / "RRDB_x2.pth")})
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    error = capsys.readouterr().err.strip()
    assert problem in error and len(error.splitlines()) == 1


# ---------------------------------------------------------------------- the full recipe


def shrunk(value: Any) -> Any:
    """A config's model with tiny networks, and without the weights of a feature network."""
    if isinstance(value, list):
        return [shrunk(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("type") == "PerceptualLoss":
        return {"type": "L1Loss", "weight": value["weight"]}
    made = {key: shrunk(each) for key, each in value.items()}
    smaller = {"width": 4, "blocks": 1, "growth": 2, "style_width": 4, "style_blocks": 1, "scales": 2, "layers": 2}
    return made | {key: small for key, small in smaller.items() if key in made}


def test_each_phase_of_the_full_recipe_builds_and_steps_what_it_is_to_and_nothing_else() -> None:
    model = shrunk(load_config("configs/joint/style_rrdb.yaml").data["model"])
    torch.manual_seed(0)
    algorithm = build_algorithm(model)
    algorithm.data_preprocessor.seed(0)  # pyright: ignore[reportCallIssue]
    optimizers = optimizers_for(algorithm)
    phases = algorithm.parts.phases
    assert [(phase.name, phase.until) for phase in phases] == [
        ("super-resolution", 100_000), ("style", 150_000), ("joint", 350_000), ("decay", None),
    ]  # fmt: skip
    groups = ("generator_ab.style", "generator_ab.upscaler", "generator_ab.films", "generator_ba", "discriminator_t",
              "discriminator_s", "discriminator_p")  # fmt: skip
    expected = {
        "super-resolution": {"generator_ab.upscaler"},
        "style": {*groups} - {"generator_ab.upscaler", "generator_ab.films", "discriminator_t"},
        "joint": {*groups},
        "decay": {*groups},
    }
    begin = 0
    for phase in phases:
        algorithm.iteration = begin
        before = {name: value.detach().clone() for name, value in algorithm.named_parameters()}
        algorithm.train_step(batch_for(algorithm, size=64, count=1), optimizers)
        moved = {name for name, value in algorithm.named_parameters() if not torch.equal(value, before[name])}
        moved = {group for group in groups if any(name.startswith(f"{group}") for name in moved)}
        assert moved == expected[phase.name], phase.name
        begin = phase.until or begin

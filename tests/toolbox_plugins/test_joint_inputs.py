"""Both networks of a chosen strength through `infer`: odd sizes, tiny pictures, gray, transparency, and tiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from runs import command, style_config, write_config
from toolbox.assembly.loading import TrainedOutput
from toolbox.assembly.reach import reach
from toolbox.contracts.network import GradedGenerator
from toolbox.inference import Options
from toolbox.inference.picture import Picture, read_picture
from toolbox.inference.picture_write import write_picture
from toolbox.inference.predictor import Predictor
from toolbox.io.errors import UserError
from toolbox.io.images import read_image, write_image
from toolbox.testing.objective import LeastSquares
from toolbox.testing.training import assemble
from toolbox_plugins.joint.algorithm import StyleSuperResolution
from toolbox_plugins.joint.compact import StyleSRNet
from toolbox_plugins.joint.rrdb import StyleRRDBNet

NETWORKS: dict[str, dict[str, Any]] = {
    "StyleSRNet": {"width": 8, "blocks": 2, "fine": 4},
    "StyleRRDBNet": {"width": 4, "blocks": 1, "growth": 2, "style_width": 4, "style_blocks": 1},
}
CLASSES: dict[str, Callable[..., GradedGenerator]] = {"StyleSRNet": StyleSRNet, "StyleRRDBNet": StyleRRDBNet}


def lively(name: str, **arguments: Any) -> GradedGenerator:
    """A network that does something already, and most of it within [0, 1]."""
    torch.manual_seed(0)
    network = CLASSES[name](**{**NETWORKS[name], "scale": 2, **arguments})
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.15)
    return network


def predictor(network: GradedGenerator, strength: float = 1.0, tile: int | None = 0, notes: Any = None) -> Predictor:
    """The network as `infer` applies it."""
    algorithm = assemble(StyleSuperResolution, LeastSquares, networks={"generator_ab": network}, losses=False)
    output = TrainedOutput(algorithm.eval(), "fake_b", {"strength": strength})
    return Predictor(output, options=Options(tile=tile), note=[].append if notes is None else notes.append)


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Pixels (H, W, C) float32 in [0, 1]."""
    return np.random.default_rng(0).random((height, width, channels), dtype=np.float32)


# ---------------------------------------------------------------------- tiles


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("size", [(33, 47), (70, 40)])
def test_tiles_of_the_compact_network_equal_the_whole_at_every_strength(size: tuple[int, int], strength: float) -> None:
    notes: list[str] = []
    network, seen = lively("StyleSRNet"), []
    whole = predictor(network, strength, 0, notes)(noise(*size))
    tiled = predictor(network, strength, 32, notes)
    network.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[-2:]))
    tiles = tiled(noise(*size))
    assert whole.shape == (2 * size[0], 2 * size[1], 3) and whole.std() > 0.05 and not notes
    assert np.abs(whole - tiles).max() < 1e-5 and len(seen) > 1 and seen[-1] != size


def test_instance_norm_makes_the_larger_network_look_at_the_whole_image_and_infer_says_so() -> None:
    notes: list[str] = []
    made = predictor(lively("StyleRRDBNet"), tile=48, notes=notes)(noise(96, 61))
    assert made.shape == (192, 122, 3) and np.isfinite(made).all()
    assert len(notes) == 1 and "looks at the whole image (instance norm, attention)" in notes[0]


def test_without_instance_norm_tiles_of_the_larger_network_equal_the_whole() -> None:
    network = lively("StyleRRDBNet", style_norm="none", blocks=1)
    known = reach(network.eval(), channels=3, scale=2, multiple=network.multiple)
    assert known.local and known.halo < 64
    whole, tiles = (predictor(network, 0.5, tile)(noise(61, 98)) for tile in (0, 32))
    assert np.abs(whole - tiles).max() < 1e-5


# ---------------------------------------------------------------------- pictures of every kind


@pytest.fixture(scope="module", params=NETWORKS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of two iterations at a rate that leaves no weight where it began."""
    folder = tmp_path_factory.mktemp(request.param)
    config = style_config(folder)
    judge = {key: value for key, value in config["model"]["discriminator_a"].items() if key != "pool"}
    config["model"] = {
        "type": "StyleSuperResolution",
        "generator_ab": {"type": request.param, "scale": 2, **NETWORKS[request.param]},
        "generator_ba": {"type": "ResidualCNN", "width": 4, "blocks": 1},
        "discriminator_texture": judge,
        "variant": {"type": "LSGAN"},
        "losses": {"super_resolution": {"type": "L1Loss"}},
        "degradation": {"type": "BicubicDegradation", "scale": 2},
    }
    config["optim_wrapper"]["generator"]["optimizer"]["lr"] = 0.03
    config = {key: value for key, value in config.items() if not key.startswith(("val_", "param_"))}
    config |= {"train_cfg": {"max_iters": 2}}
    assert command("train", write_config(config, folder / "run.yaml")) == 0
    return folder


def infer(trained: Path, *arguments: object) -> int:
    return command("infer", *arguments, "--config", trained / "run.yaml", "--checkpoint", trained / "run/iter_2.pth")


def test_odd_tiny_gray_and_transparent_pictures_come_out_twice_as_large_and_of_their_kind(
    trained: Path, tmp_path: Path
) -> None:
    sizes = {"odd": (33, 47, 3), "small": (16, 16, 3), "tiny": (5, 7, 3), "least": (1, 2, 3)}
    for name, size in (sizes | {"gray": (17, 12, 1), "clear": (18, 21, 4)}).items():
        pixels = (noise(*size) * 255).astype(np.uint8)
        write_picture(tmp_path / "in" / f"{name}.png", Picture(pixels, alpha=size[2] == 4))
    assert infer(trained, tmp_path / "in", "-o", tmp_path / "out") == 0
    painted_gray = (17, 12, 3)  # colours are the style's
    for name, (height, width, channels) in (sizes | {"gray": painted_gray, "clear": (18, 21, 4)}).items():
        made = read_picture(tmp_path / "out" / f"{name}.png")
        assert made.array.shape == (2 * height, 2 * width, channels) and made.alpha == (channels == 4), name
        assert np.ptp(made.array) > 0
    assert infer(trained, tmp_path / "in/gray.png", "-o", tmp_path / "plain", "--strength", 0) == 0
    assert read_picture(tmp_path / "plain/gray.png").array.shape == (34, 24, 1), "at strength 0 they are its own"


def test_a_picture_of_five_channels_is_refused_by_name_and_the_others_are_done(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tifffile")
    write_picture(tmp_path / "in" / "bands.tif", Picture(np.zeros((8, 8, 5), np.uint8)))
    write_image(tmp_path / "in" / "fine.png", np.full((8, 8, 3), 128, np.uint8))
    assert infer(trained, tmp_path / "in", "-o", tmp_path / "out") == 1
    assert "bands.tif: the picture has 5 channels, and the network takes 3" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fine.png"]


def test_strength_is_from_0_to_1_and_changes_the_picture(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "in.png", (noise(12, 20) * 255).astype(np.uint8))
    made = []
    for strength in (0, 0.5, 1):
        assert infer(trained, tmp_path / "in.png", "-o", tmp_path / "out", "--strength", strength) == 0
        made.append(read_image(tmp_path / "out" / "in.png").astype(int))
    assert np.abs(made[0] - made[2]).max() > 2 and np.abs(made[1] - made[2]).max() > 0
    assert infer(trained, tmp_path / "in.png", "-o", tmp_path / "out") == 0
    assert np.array_equal(read_image(tmp_path / "out" / "in.png"), made[2])
    for strength in ("-0.1", "1.5", "nan"):
        capsys.readouterr()
        assert infer(trained, tmp_path / "in.png", "-o", tmp_path / "no", f"--strength={strength}") == 2
        assert f"--strength {strength}: must be from 0" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_a_strength_outside_0_and_1_is_refused_in_code_too() -> None:
    algorithm = assemble(
        StyleSuperResolution, LeastSquares, networks={"generator_ab": lively("StyleSRNet")}, losses=False
    )
    for strength in (-0.1, 1.01, float("nan")):
        with pytest.raises(UserError, match="strength must be from 0 to 1"):
            algorithm.predict(torch.rand(1, 3, 8, 8), "fake_b", {"strength": strength})

"""The painter's algorithm: a style for each sample, tiles that agree with the whole, and what it is applied by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from painters import MODEL, STYLES, algorithm, picture
from runs import command, pictures, write_config
from toolbox import UserError
from toolbox.assembly.build import build_algorithm
from toolbox.assembly.loading import TrainedOutput
from toolbox.inference.options import Options
from toolbox.inference.predictor import Predictor


def test_each_sample_is_painted_in_the_style_of_its_number() -> None:
    made = algorithm().train()
    values = {"real_a": torch.rand(2, 3, 32, 32), "lr_a": torch.rand(2, 3, 8, 8), "style_b": torch.tensor([1, 0])}
    made.translate(values)
    expected = made.generator(values["lr_a"], None, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert torch.equal(values["fake_b"], expected)
    del values["style_b"]
    made.translate(values)
    assert values["style_b"].shape == (2,) and set(values["style_b"].tolist()) <= {0, 1}


def test_a_picture_in_tiles_equals_the_whole() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (70, 90, 3), np.uint8)
    output = TrainedOutput(algorithm(), "fake_b", {"style": "hokusai"})
    whole, tiled = (Predictor(output, options=Options(tile=tile))(pixels) for tile in (0, 32))
    assert np.abs(whole.astype(int) - tiled.astype(int)).max() <= 1


def test_at_strength_0_the_output_is_the_upscalers_and_keeps_colours() -> None:
    made = algorithm()
    output = TrainedOutput(made, "fake_b", {"strength": 0.0})
    assert output.keeps_colors and not TrainedOutput(made, "fake_b", {"strength": 0.1}).keeps_colors
    images = picture()
    made.generator.paint = None  # which is not asked
    with torch.no_grad():
        assert torch.equal(output(images), made.generator.upscaler(images).clamp(0, 1))
        assert torch.equal(TrainedOutput(made, "sr_a")(images), output(images))


def test_half_of_it_is_an_output_of_its_own() -> None:
    made = algorithm().eval()
    images = picture()
    half = made.predict(images, "half_b", {"style": "hokusai"})
    assert torch.equal(half, made.predict(images, "fake_b", {"style": "hokusai", "strength": 0.5}))
    assert not torch.equal(half, made.predict(images, "half_b"))


def test_losses_of_other_styles_are_refused(tmp_path: Path) -> None:
    folder = pictures(tmp_path, 1)
    loss = {
        "type": "StyleImagesLoss",
        "features": {"type": "RandomFeatures"},
        "layers": {"conv1_1": 1.0},
        "images": {"hokusai": str(folder), "monet": str(folder)},
    }
    with pytest.raises(UserError, match="they must be the same, in the same order"):
        build_algorithm({**MODEL, "losses": {"style": loss}})
    with pytest.raises(UserError, match="has no styles; StyleSPAN has"):
        build_algorithm({**MODEL, "generator": {"type": "StyleSRNet"}})


def test_styles_without_pictures_are_not_drawn(tmp_path: Path) -> None:
    loss = {
        "type": "StyleImagesLoss", "features": {"type": "RandomFeatures"}, "layers": {"conv1_1": 1.0},
        "styles": STYLES, "images": {"hokusai": str(pictures(tmp_path, 1))},
    }  # fmt: skip
    made: Any = build_algorithm({**MODEL, "losses": {"style": loss}})
    values = {"real_a": torch.rand(8, 3, 32, 32), "lr_a": torch.rand(8, 3, 8, 8)}
    made.translate(values)
    assert values["style_b"].tolist() == [1] * 8
    assert made.outputs["fake_b"].chosen({})["style"].tolist() == [[0.0, 1.0]], "what is taught is measured and shown"
    assert made.losses["style"][0](values["fake_b"], values["style_b"]).isfinite()
    with pytest.raises(UserError, match="'hokusai' is none of the styles monet"):
        build_algorithm({**MODEL, "losses": {"style": loss | {"styles": ["monet"]}}})


def test_what_is_judged_moves_with_its_photograph() -> None:
    made: Any = build_algorithm({**MODEL, "shift": 8})
    large = torch.arange(40.0 * 40).reshape(1, 1, 40, 40).expand(2, 3, -1, -1)
    places = set()
    for _ in range(8):
        values = {"real_a": large, "fake_b": large + 0.5}
        made.move(values, "fake_b", "real_a")
        assert values["real_a"].shape[-2:] == (32, 32) and torch.all(values["fake_b"] - values["real_a"] == 0.5)
        places.add(values["real_a"][0, 0, 0, 0].item())
    assert len(places) > 1


def test_it_trains_against_discriminators_that_see_the_style_and_is_applied_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, styles = pictures(tmp_path / "photos", 3), {name: str(pictures(tmp_path / name, 2)) for name in STYLES}
    judge = {"type": "PatchDiscriminator", "in_channels": 5, "width": 8, "layers": 1, "norm": "none"}
    config = {
        "model": {
            **MODEL,
            "shift": 4,
            "discriminator": judge,
            "discriminator_small": judge,
            "variant": {"type": "RpGAN", "regularizers": [{"type": "R1", "weight": 1.0}]},
            "losses": {"content": {"type": "L1Loss"}, "smoothness": {"type": "LatticeLoss"}},
        },
        "train_dataloader": {
            "batch_size": 2,
            "dataset": {
                "type": "StyledFolders",
                "root_a": str(photos),
                "styles": styles,
                "transforms": [{"type": "RandomCrop", "size": 32}],
            },
        },
        "train_cfg": {"max_iters": 2},
        "optim_wrapper": {
            "generator": {"optimizer": {"type": "Adam", "lr": 1e-3}},
            "discriminator": {"optimizer": {"type": "Adam", "lr": 1e-3}},
        },
        "work_dir": str(tmp_path / "run"),
    }
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file) == 0
    assert command("export", file, tmp_path / "run" / "iter_2.pth", "-o", tmp_path / "x.safetensors") == 0
    out = tmp_path / "out"
    for style in STYLES:
        assert (
            command("infer", photos, "-o", out / style, "--weights", tmp_path / "x.safetensors", "--style", style) == 0
        )
    assert command("infer", photos, "-o", out, "--weights", tmp_path / "x.safetensors", "--style", "dali") == 2
    assert "--style dali: the model has monet, hokusai" in capsys.readouterr().err

"""Real-ESRGAN: the targets are sharpened, the discriminator sees the images as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from matrix import VARIANTS
from runs import command, sr_config, write_config
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.testing.networks import TinyDegradation
from toolbox_plugins.degradations.sharpen import usm_sharpen
from toolbox_plugins.realesrgan.algorithm import RealESRGAN

LSGAN = VARIANTS["LSGAN"]


def edges() -> dict[str, torch.Tensor]:
    """Black and white squares, which sharpening changes."""
    image = torch.zeros(2, 3, 32, 32)
    image[:, :, 8:24, 8:24] = 0.6
    image[1] += 0.2
    return {"hr": image}


def test_every_target_is_sharpened_and_what_the_degradation_and_the_discriminator_see_is_not():
    model = assemble(RealESRGAN, LSGAN, ema=0.5)
    batch = edges()
    values = model.data_preprocessor(batch, True)
    model.translate(values)
    sharp = usm_sharpen(batch["hr"])
    assert (sharp - batch["hr"]).abs().max() > 0.01
    torch.testing.assert_close(values["hr_sharp"], sharp)
    assert torch.equal(values["hr"], batch["hr"])
    assert model.adversaries == {"discriminator": ("hr", "sr")}
    assert {names[1] for pairs in model.roles.values() for names in pairs} == {"hr_sharp"}
    rng = torch.Generator().manual_seed(0)  # as `assemble` seeds the preprocessor
    torch.testing.assert_close(values["lr"], TinyDegradation()(batch["hr"], rng))


def test_without_sharpening_it_is_esrgan():
    model = assemble(RealESRGAN, LSGAN, ema=0.5, sharpen=False)
    batch = edges()
    values = model.data_preprocessor(batch, True)
    model.translate(values)
    assert values["hr_sharp"] is values["hr"] and isinstance(model.data_preprocessor.degradation, TinyDegradation)


def test_pairs_from_the_dataset_keep_their_input_and_have_a_sharpened_target():
    model = assemble(RealESRGAN, LSGAN)
    low = torch.rand(2, 3, 16, 16)
    values: Any = model.data_preprocessor({**edges(), "lr": low}, True)
    model.translate(values)
    assert torch.equal(values["lr"], low)
    torch.testing.assert_close(values["hr_sharp"], usm_sharpen(edges()["hr"]))


def test_no_target_is_sharpened_where_no_loss_asks_for_one():
    model = assemble(RealESRGAN, LSGAN, losses=False)
    values = model.data_preprocessor(batch_for(model), True)
    model.translate(values)
    assert "hr_sharp" not in values
    assert set(model.train_step(batch_for(model), optimizers_for(model))) >= {"g/adversarial", "d/adversarial"}


@pytest.mark.parametrize("sharpen", [True, False])
def test_it_trains_from_yaml_with_its_networks(sharpen: bool, tmp_path: Path):
    config = sr_config(
        tmp_path,
        type="RealESRGAN",
        sharpen=sharpen,
        generator={"type": "SRVGGNetCompact", "width": 4, "convs": 1, "scale": 2},
        discriminator={"type": "UNetDiscriminator", "width": 4},
        variant={"type": "Vanilla"},
        losses={"pixel": {"type": "L1Loss"}, "artifact": {"type": "ArtifactLoss"}},
        adversarial={"discriminator": 0.1},
    )
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0


def test_its_artefact_role_needs_an_average_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = sr_config(tmp_path, type="RealESRGAN", losses={"artifact": {"type": "ArtifactLoss"}}, ema=None)
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    assert "model.losses.artifact: compares with the generator's average" in capsys.readouterr().err

"""ESRGAN is SRGAN's flow, and provides the average's output to a loss against artefacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from matrix import VARIANTS
from runs import command, sr_config, write_config
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox_plugins.esrgan.algorithm import ESRGAN

LSGAN = VARIANTS["LSGAN"]


def test_the_averages_output_is_computed_without_gradient_for_the_role_alone():
    model = assemble(ESRGAN, LSGAN, ema=0.5)
    values = model.data_preprocessor(batch_for(model), True)
    with torch.no_grad():
        model.generator_ema.last.bias.add_(0.25)
    model.translate(values)
    torch.testing.assert_close(values["sr_ema"], values["sr"].detach() + 0.25)
    assert values["sr"].requires_grad and not values["sr_ema"].requires_grad
    without = assemble(ESRGAN, LSGAN, ema=0.5, losses=False)
    values = without.data_preprocessor(batch_for(without), True)
    without.translate(values)
    assert "sr_ema" not in values


class Normalised(nn.Module):
    """One batch norm around an enlargement."""

    scale = 2

    def __init__(self, scale: int = 2) -> None:
        super().__init__()
        self.norm, self.grow = nn.BatchNorm2d(3), nn.Upsample(scale_factor=scale)
        self.first = nn.Conv2d(3, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.grow(self.first(self.norm(images)))


def test_the_average_is_asked_as_in_prediction():
    model = assemble(ESRGAN, LSGAN, ema=0.5, generator=Normalised)
    model.train()
    before = {name: value.clone() for name, value in model.generator_ema.named_buffers()}
    values = model.data_preprocessor(batch_for(model), True)
    model.translate(values)
    assert all(torch.equal(value, before[name]) for name, value in model.generator_ema.named_buffers())
    low: Any = values["lr"]
    torch.testing.assert_close(values["sr_ema"].clamp(0, 1), model.predict(low))


def test_the_role_counts_in_the_generators_loss():
    model = assemble(ESRGAN, LSGAN, ema=0.5)
    logs = model.train_step(batch_for(model), optimizers_for(model))
    assert {"g/pixel", "g/perceptual", "g/artifact", "g/adversarial", "d/adversarial"} <= set(logs)


@pytest.mark.parametrize("algorithm", ["ESRGAN", "esrgan/ESRGAN"])
def test_the_role_needs_an_average(algorithm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    losses = {"pixel": {"type": "L1Loss"}, "artifact": {"type": "ArtifactLoss"}}
    config = sr_config(tmp_path, type=algorithm, losses=losses, ema=None)
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    error = capsys.readouterr().err
    assert "model.losses.artifact: compares with the generator's average" in error and "model.ema: 0.999" in error


def test_it_trains_from_yaml_with_rrdbnet_ragan_and_the_loss_against_artefacts(tmp_path: Path):
    losses = {"pixel": {"type": "L1Loss", "weight": 0.01}, "artifact": {"type": "ArtifactLoss"}}
    generator = {"type": "RRDBNet", "width": 4, "blocks": 1, "growth": 2, "scale": 2}
    config = sr_config(tmp_path, type="ESRGAN", generator=generator, losses=losses, variant={"type": "RaGAN"})
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    assert (tmp_path / "run" / "iter_2.pth").is_file()

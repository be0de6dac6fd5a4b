"""Any generator with any discriminator with any variant trains from a config alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runs import command, sr_config, write_config

GENERATORS: dict[str, dict[str, Any]] = {
    "SRResNet": {"type": "SRResNet", "width": 8, "blocks": 1, "scale": 2},
    "third-party": {"type": "Enlarger", "scale": 2},
}
DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "VGG-style": {"type": "VGGStyleDiscriminator", "width": 4, "image_size": 32},
    "Patch": {"type": "PatchDiscriminator", "width": 8, "layers": 1},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "vanilla": {"type": "Vanilla"},
    "LSGAN": {"type": "LSGAN"},
    "WGAN-GP": {"type": "WGANGP", "d_steps": 2},
    "SN-LSGAN": {"type": "SpectralNorm", "base": {"type": "LSGAN"}},
}
PLUGIN = '''
"""A third party's generator in one file."""
from torch import nn
from toolbox import hookimpl


class Enlarger(nn.Module):
    """Nearest enlargement and one convolution."""

    def __init__(self, *, scale: int = 2) -> None:
        super().__init__()
        self.scale = scale
        self.grow, self.last = nn.Upsample(scale_factor=scale), nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, images):
        return self.last(self.grow(images))


@hookimpl
def register_generators(register):
    register("Enlarger", Enlarger)
'''


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("discriminator", DISCRIMINATORS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_combination_trains_from_yaml_alone(
    generator: str, discriminator: str, variant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = tmp_path / "enlarger.py"
    plugin.write_text(PLUGIN)
    judge = dict(DISCRIMINATORS[discriminator])
    config = sr_config(tmp_path, generator=GENERATORS[generator], discriminator=judge, variant=VARIANTS[variant])
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    file = write_config(config, tmp_path / "run.yaml")
    if variant == "WGAN-GP" and discriminator == "VGG-style":
        assert command("train", file, "-p", plugin) == 2  # its own default is batch norm
        error = capsys.readouterr().err
        assert "WGANGP penalises" in error and "VGGStyleDiscriminator has batch norm" in error
        judge["norm"] = "none"
        file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file, "-p", plugin) == 0
    assert (tmp_path / "run" / "iter_2.pth").is_file()

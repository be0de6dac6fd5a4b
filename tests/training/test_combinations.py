"""Any generator with any discriminator with any variant trains from a config alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runs import command, pictures, sr_config, style_config, write_config
from toolbox.plugins.registry import registry

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
MORE_GENERATORS: dict[str, dict[str, Any]] = {
    "SRResNetBN": {"type": "SRResNetBN", "width": 4, "blocks": 1, "scale": 2},
    "RRDBNet": {"type": "RRDBNet", "width": 4, "blocks": 1, "growth": 2, "scale": 2},
    "SRVGGNetCompact": {"type": "SRVGGNetCompact", "width": 4, "convs": 1, "scale": 2},
    "EDSR": {"type": "EDSR", "width": 4, "blocks": 1, "scale": 2},
    "SPAN": {"type": "SPAN", "width": 4, "scale": 2},
    "RealPLKSR": {
        "type": "RealPLKSR",
        "width": 4,
        "blocks": 1,
        "kernel": 5,
        "scale": 2,
        "upsampler": "dysample",
    },
    "DAT": {"type": "DAT", "width": 32, "depths": [3], "heads": [2], "window": [2, 4], "scale": 2},
    "RCAN": {"type": "RCAN", "width": 4, "groups": 1, "blocks": 1, "reduction": 2, "scale": 2, "fold": True},
}
MORE_DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "VGG-style, pooled": {"type": "VGGStyleDiscriminator", "width": 4, "head": "pool", "norm": "none"},
    "U-Net": {"type": "UNetDiscriminator", "width": 4},
    "DUnet": {"type": "DUnetDiscriminator", "width": 4},
    "projected": {
        "type": "ProjectedDiscriminator",
        "features": {"type": "RandomFeatures", "width": 2},
        "layers": ["relu1_2", "relu3_3"],
        "width": 4,
    },
    "MetaGAN": {"type": "MetaGANDiscriminator", "widths": [8, 8], "blocks": [1, 1]},
    "batch head": {"type": "BatchHeadDiscriminator", "width": 4, "layers": 1, "norm": "none"},
}
MORE_VARIANTS: dict[str, dict[str, Any]] = {
    "RaGAN": {"type": "RaGAN"},
    "SN-RaGAN": {"type": "SpectralNorm", "base": {"type": "RaGAN"}},
}
# Each generator with each discriminator once, and each pair of a discriminator and a variant once: what does not get
# on would show in a pair, and the whole product would take minutes.
ALL_DISCRIMINATORS, ALL_VARIANTS = DISCRIMINATORS | MORE_DISCRIMINATORS, VARIANTS | MORE_VARIANTS
PAIRS = [(generator, judge, "RaGAN") for generator in MORE_GENERATORS for judge in ALL_DISCRIMINATORS]
PAIRS += [
    ("RRDBNet", judge, variant)
    for judge in ALL_DISCRIMINATORS
    for variant in ALL_VARIANTS
    if (judge in MORE_DISCRIMINATORS or variant in MORE_VARIANTS) and variant != "RaGAN"
]
# Each regularizer and augmentation once, over changing objectives and discriminators; all pairs are in test_gan_matrix.
LISTED = [(kind, name) for kind in ("regularizers", "augmentations") for name in registry(kind).names()]
NO_BATCH_NORM = ("Patch", "VGG-style, pooled", "U-Net")
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


@pytest.mark.parametrize(("generator", "discriminator", "variant"), PAIRS)
def test_each_pair_of_a_newer_component_trains_from_yaml_alone(
    generator: str, discriminator: str, variant: str, tmp_path: Path
) -> None:
    judge, objective = ALL_DISCRIMINATORS[discriminator], ALL_VARIANTS[variant]
    config = sr_config(tmp_path, generator=MORE_GENERATORS[generator], discriminator=judge, variant=objective)
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    assert (tmp_path / "run" / "iter_2.pth").is_file()


@pytest.mark.parametrize(("kind", "name"), LISTED)
def test_each_regularizer_and_augmentation_trains_from_yaml_alone(kind: str, name: str, tmp_path: Path) -> None:
    number = LISTED.index((kind, name))
    judge = ALL_DISCRIMINATORS[NO_BATCH_NORM[number % len(NO_BATCH_NORM)]]
    variant = {"type": ("Hinge", "RpGAN")[number % 2], kind: [{"type": name}]}
    config = sr_config(tmp_path, discriminator=judge, variant=variant)
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    assert (tmp_path / "run" / "iter_2.pth").is_file()


def test_a_network_for_restoration_trains_from_yaml_alone(tmp_path: Path) -> None:
    config = style_config(tmp_path)
    for slot in ("generator_ab", "generator_ba"):
        config["model"][slot] = {"type": "UNetRestorer", "width": 4, "levels": 2}
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0


NCE = {"type": "PatchNCELoss"}
ONE_SIDED: dict[str, dict[str, Any]] = {
    "CUT": {"type": "CUT", "losses": {"nce": NCE, "identity_nce": NCE}},
    "FastCUT": {"type": "CUT", "losses": {"nce": NCE}, "flip_equivariance": True, "layers": ["last"]},
    "Pix2Pix": {"type": "Pix2Pix", "losses": {"pixel": {"type": "L1Loss", "weight": 200.0}}},
}


@pytest.mark.parametrize("algorithm", ONE_SIDED)
def test_a_third_partys_generator_translates_one_way_from_yaml_alone(algorithm: str, tmp_path: Path) -> None:
    plugin = tmp_path / "enlarger.py"
    plugin.write_text(PLUGIN)
    config = style_config(tmp_path)
    judge = {**config["model"]["discriminator_a"], "in_channels": 6 if algorithm == "Pix2Pix" else 3}
    config["model"] = {
        **ONE_SIDED[algorithm],
        "generator": {"type": "Enlarger", "scale": 1},
        "discriminator": judge,
        "variant": {"type": "LSGAN"},
    }
    if algorithm == "Pix2Pix":
        roots = {name: str(pictures(tmp_path / name, seed=seed)) for seed, name in enumerate(("real_a", "real_b"))}
        config["train_dataloader"]["dataset"] = {"type": "PairedFolders", "roots": roots}
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    assert command("train", write_config(config, tmp_path / "run.yaml"), "-p", plugin) == 0
    assert (tmp_path / "run" / "iter_2.pth").is_file()

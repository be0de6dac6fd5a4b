"""Exported generators: plain weights that give, byte for byte, what the checkpoint gives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from runs import command, pictures, refused, sr_config, style_config, weights, write_config
from toolbox.assembly.export import fold
from toolbox.io.images import read_image, write_image
from toolbox.plugins.manager import PluginManager, use
from toolbox.weights.importing import formats
from toolbox_plugins.srgan.srresnet import SRResNet

PLUGIN = '''
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from toolbox import hookimpl

class Bounded(nn.Module):
    """Images to images, its convolution spectrally normalised by itself."""
    scale = 1
    def __init__(self, *, width: int = 3) -> None:
        super().__init__()
        self.conv = spectral_norm(nn.Conv2d(3, width, 3, padding=1))
    def forward(self, images):
        return self.conv(images) + images

@hookimpl
def register_generators(register):
    register("Bounded", Bounded)
'''


@pytest.fixture(scope="module")
def sr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained super-resolution run over SRResNet, in channels-last memory, and images of odd sizes."""
    folder = tmp_path_factory.mktemp("sr")
    config = sr_config(folder, generator={"type": "SRResNet", "width": 8, "blocks": 1, "scale": 2}, channels_last=True)
    assert command("train", write_config(config, folder / "run.yaml")) == 0
    pictures(folder / "in" / "deep", 2, size=40)
    write_image(folder / "in" / "odd.png", np.random.default_rng(1).integers(0, 256, (17, 23, 3), np.uint8))
    return folder


@pytest.fixture(scope="module")
def style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained style run without averages."""
    folder = tmp_path_factory.mktemp("style")
    config = style_config(folder)
    del config["model"]["ema"]
    assert command("train", write_config(config, folder / "run.yaml")) == 0
    return folder


def checkpoint_of(run: Path) -> list[object]:
    return ["--config", run / "run.yaml", "--checkpoint", run / "run/iter_6.pth"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_exported_weights_give_byte_for_byte_what_the_checkpoint_gives(sr: Path, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / "weights" / f"x2{suffix}"
    assert command("export", sr / "run.yaml", sr / "run/iter_6.pth", "-o", file) == 0
    assert command("infer", sr / "in", "-o", tmp_path / "one", *checkpoint_of(sr)) == 0
    assert command("infer", sr / "in", "-o", tmp_path / "two", "--weights", file) == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(contents(tmp_path / "one")) == 3


def test_the_file_holds_the_averages_under_the_networks_own_keys(sr: Path, tmp_path: Path) -> None:
    assert command("export", sr / "run.yaml", sr / "run/iter_6.pth", "-o", tmp_path / "x2.safetensors") == 0
    found, trained = load_file(tmp_path / "x2.safetensors"), weights(sr / "run/iter_6.pth")
    assert {"conv_first.weight", "body.0.conv1.weight", "conv_last.bias"} <= set(found), "BasicSR's keys"
    assert set(found) == set(SRResNet(width=8, blocks=1, scale=2).state_dict())
    assert all(torch.equal(value, trained[f"generator_ema.{key}"]) for key, value in found.items())
    assert any(not torch.equal(value, trained[f"generator.{key}"]) for key, value in found.items())


def test_the_description_says_what_the_file_is(sr: Path, tmp_path: Path) -> None:
    assert command("export", sr / "run.yaml", sr / "run/iter_6.pth", "-o", tmp_path / "x2.safetensors") == 0
    found = json.loads((tmp_path / "x2.safetensors.json").read_text())
    assert found["sha256"] == hashlib.sha256((tmp_path / "x2.safetensors").read_bytes()).hexdigest()
    assert (found["slot"], found["network"], found["scale"], found["average"]) == ("generator", "SRResNet", 2, True)
    wanted = {"sources": ["lr"], "networks": ["generator"], "keeps_colors": True, "conditions": {}}
    assert found["outputs"] == {"sr": wanted} and found["iteration"] == 6
    assert found["model"]["generator"] == {"type": "SRResNet", "width": 8, "blocks": 1, "scale": 2}
    report = json.loads((sr / "run" / "report.json").read_text())
    assert found["metrics"]["rows"] == report["rows"] and found["metrics"]["of_this_checkpoint"] is True
    assert found["plugins"]["srgan"].startswith("gan-toolbox ")


def test_metrics_of_another_checkpoint_are_marked_and_missing_ones_are_null(sr: Path, tmp_path: Path) -> None:
    assert command("export", sr / "run.yaml", sr / "run/iter_4.pth", "-o", tmp_path / "a.pth") == 0
    assert json.loads((tmp_path / "a.pth.json").read_text())["metrics"]["of_this_checkpoint"] is False
    (tmp_path / "iter_6.pth").write_bytes((sr / "run/iter_6.pth").read_bytes())
    assert command("export", sr / "run.yaml", tmp_path / "iter_6.pth", "-o", tmp_path / "b.pth") == 0
    assert json.loads((tmp_path / "b.pth.json").read_text())["metrics"] is None


def test_two_generators_become_two_files_and_each_gives_its_own_output(style: Path, tmp_path: Path) -> None:
    assert command("export", style / "run.yaml", style / "run/iter_6.pth", "-o", tmp_path / "w.safetensors") == 0
    assert {p.name for p in tmp_path.glob("*.safetensors")} == {
        "w_generator_ab.safetensors", "w_generator_ba.safetensors",
    }  # fmt: skip
    for slot, output in (("ab", "fake_b"), ("ba", "fake_a")):
        one, two = tmp_path / f"one_{slot}", tmp_path / f"two_{slot}"
        assert command("infer", style / "a", "-o", one, "--output", output, *checkpoint_of(style)) == 0
        assert command("infer", style / "a", "-o", two, "--weights", tmp_path / f"w_generator_{slot}.safetensors") == 0
        assert contents(one) == contents(two) and contents(one)
    assert contents(tmp_path / "one_ab") != contents(tmp_path / "one_ba")


def test_an_output_of_the_other_file_is_refused_by_its_name(
    style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("export", style / "run.yaml", style / "run/iter_6.pth", "-o", tmp_path / "w.pth") == 0
    rest = ["infer", style / "a", "-o", tmp_path / "x", "--weights", tmp_path / "w_generator_ab.pth", "--output"]
    assert "w_generator_ba.pth gives it" in refused(capsys, *rest, "fake_a")
    assert "did you mean 'fake_b'?" in refused(capsys, *rest, "fake_c")


def test_a_spectrally_normalised_generator_is_written_as_plain_weights(tmp_path: Path) -> None:
    (tmp_path / "bounded.py").write_text(PLUGIN)
    try:
        config = style_config(tmp_path, generator_ab={"type": "Bounded"}, generator_ba={"type": "Bounded"})
        file, plugin = write_config(config, tmp_path / "run.yaml"), ["-p", tmp_path / "bounded.py"]
        assert command("train", file, *plugin) == 0
        assert command("export", file, tmp_path / "run/iter_6.pth", "-o", tmp_path / "w.safetensors", *plugin) == 0
        assert set(load_file(tmp_path / "w_generator_ab.safetensors")) == {"conv.weight", "conv.bias"}
        assert command("infer", tmp_path / "a", "-o", tmp_path / "one", *checkpoint_of(tmp_path), *plugin) == 0
        exported = ["--weights", tmp_path / "w_generator_ab.safetensors", *plugin]
        assert command("infer", tmp_path / "a", "-o", tmp_path / "two", *exported) == 0
        assert contents(tmp_path / "one") == contents(tmp_path / "two") and contents(tmp_path / "one")
    finally:
        use(PluginManager())


def test_folding_keeps_what_a_network_gives_whichever_spectral_norm_it_has() -> None:
    network = nn.Sequential(
        spectral_norm(nn.Conv2d(3, 4, 3)), nn.utils.spectral_norm(nn.Conv2d(4, 3, 3)), nn.Conv2d(3, 3, 1)
    ).eval()
    images = torch.rand(2, 3, 9, 9)
    with torch.no_grad():
        before = network(images)
        assert torch.equal(fold(network)(images), before)
    assert set(network.state_dict()) == {f"{i}.{name}" for i in range(3) for name in ("weight", "bias")}


def test_what_is_missing_damaged_or_not_described_is_refused(
    sr: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x2.safetensors"
    assert command("export", sr / "run.yaml", sr / "run/iter_6.pth", "-o", file) == 0
    infer = ["infer", sr / "in", "-o", tmp_path / "out"]
    assert "leave --config out" in refused(capsys, *infer, "--weights", file, "--config", sr / "run.yaml")
    assert "--checkpoint: is missing" in refused(capsys, *infer, "--config", sr / "run.yaml")
    assert "--config: is missing" in refused(capsys, *infer, "--checkpoint", sr / "run/iter_6.pth")
    assert "no such weights file" in refused(capsys, *infer, "--weights", tmp_path / "x3.safetensors")
    described, intact = tmp_path / "x2.safetensors.json", (tmp_path / "x2.safetensors.json").read_text()
    described.write_text("{}")
    assert "is no description of weights" in refused(capsys, *infer, "--weights", file)
    described.write_text("[" * 100_000)
    assert "cannot be read as JSON" in refused(capsys, *infer, "--weights", file)
    described.write_text(intact.replace('"width": 8', '"width": 16'))
    assert "does not fit" in refused(capsys, *infer, "--weights", file)
    described.write_text(intact.replace('"type": "SRGAN"', '"type": "SRGANN"'))
    assert "x2.safetensors.json: model.type: " in refused(capsys, *infer, "--weights", file)
    described.write_text(intact)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert "SHA-256 differs" in refused(capsys, *infer, "--weights", file)
    described.unlink()
    assert command(*infer, "--weights", file) == 0, "without its description, the keys say what it is"
    export = ["export", sr / "run.yaml", sr / "run/iter_6.pth", "-o"]
    assert "was not written by export" in refused(capsys, *export, sr / "run/iter_6.pth")
    assert ".safetensors .pth" in refused(capsys, *export, tmp_path / "x.onnx")


def test_options_that_changed_the_networks_lead_to_the_config_that_the_run_left(
    sr: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ["--cfg-options", "model.generator.blocks=2"]
    told = f"with its --cfg-options, the config is {sr / 'run/config.yaml'}"
    checkpoint = sr / "run/iter_6.pth"
    assert told in refused(capsys, "export", sr / "run.yaml", checkpoint, "-o", tmp_path / "x.pth", *other)
    infer = ["infer", sr / "in", "-o", tmp_path / "out", "--config", sr / "run.yaml", "--checkpoint", checkpoint]
    assert told in refused(capsys, *infer, *other)
    assert command("export", sr / "run/config.yaml", checkpoint, "-o", tmp_path / "x.pth") == 0


def test_half_as_many_bytes_give_what_float16_holds(sr: Path) -> None:
    checkpoint = sr / "run" / "iter_6.pth"
    for name, more in (("whole", ()), ("half", ("--half",))):
        assert command("export", sr / "run.yaml", checkpoint, "-o", sr / f"{name}.safetensors", *more) == 0
    whole, half = load_file(sr / "whole.safetensors"), load_file(sr / "half.safetensors")
    assert all(half[key].dtype == torch.float16 and torch.equal(half[key], whole[key].half()) for key in whole)
    again = ("export", "--weights", sr / "whole.safetensors", "-o", sr / "again.pth", "--layout", "basicsr", "--half")
    assert command(*again) == 0
    assert all(value.dtype == torch.float16 for value in torch.load(sr / "again.pth")["params"].values())
    for name in ("half.safetensors", "again.pth"):
        assert command("infer", sr / "in" / "odd.png", "-o", sr / name.replace(".", "_"), "--weights", sr / name) == 0
    given = [read_image(sr / folder / "odd.png") for folder in ("half_safetensors", "again_pth")]
    assert np.array_equal(*given)


def test_numbers_that_float16_does_not_hold_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = SRResNet(width=8, blocks=1, scale=2)
    with torch.no_grad():
        network.conv_last.weight[0, 0, 0, 0] = 1e5
    torch.save({"params": formats()["SRResNetBasicSR"].restore(network.state_dict())}, tmp_path / "large.pth")
    said = refused(capsys, "export", "--weights", tmp_path / "large.pth", "-o", tmp_path / "half.pth", "--half")
    assert "--half: conv_last.weight has numbers above 65,504" in said and not (tmp_path / "half.pth").exists()

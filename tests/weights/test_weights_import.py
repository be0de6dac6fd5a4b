"""Weight files of others: what they are wrapped in, and which network they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import spectral_norm as old_spectral_norm
from torch.nn.utils.parametrizations import spectral_norm

from runs import command, sr_config, write_config
from toolbox.assembly.build import build_generators
from toolbox.assembly.export import export, load_exported
from toolbox.config import Config
from toolbox.io.errors import UserError
from toolbox.io.images import images_to_float, read_image, tensor_to_image, write_image
from toolbox.weights.file import description_file
from toolbox.weights.importing import import_state, load_network, read_imported
from toolbox.weights.state_layout import without_spectral_norm
from toolbox_plugins.cyclegan.generator import ResnetGenerator
from toolbox_plugins.esrgan.rrdbnet import RRDBNet
from toolbox_plugins.srgan.formats import SRResNetBasicSR
from toolbox_plugins.srgan.srresnet import SRResNet
from weight_files import STATE, rrdbnet, saved


def prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Any]:
    return {f"{prefix}{key}": value for key, value in state.items()}


OTHER = {key: torch.zeros_like(value) for key, value in STATE.items()}
WRAPPED: dict[str, Any] = {
    "bare": STATE,
    "params": {"params": STATE},
    "the average before the trained": {"params": OTHER, "params_ema": STATE},
    "neosr's dash": {"params": OTHER, "params-ema": STATE},
    "state_dict": {"state_dict": STATE, "epoch": 3, "optimizer": {"state": {}}},
    "two levels": {"model": {"state_dict": STATE}},
    "DDP": {"model_state_dict": prefixed(STATE, "module.")},
    "compiled": prefixed(STATE, "_orig_mod."),
    "compiled DDP": prefixed(STATE, "module._orig_mod."),
    "compiled blocks": {key.replace("body.0.", "body.0._orig_mod."): value for key, value in STATE.items()},
    "netG": prefixed(STATE, "netG."),
    "MMagic": {"meta": {"iter": 1}, "state_dict": {
        **prefixed(OTHER, "generator."), **prefixed(STATE, "generator_ema."), "generator_ema.steps": torch.tensor(5),
        "discriminator.conv.weight": torch.zeros(1), "step_counter": torch.tensor([5])}},
    "MMagic's averages, wrapped": {"state_dict": {
        **prefixed(OTHER, "generator."), **prefixed(STATE, "generator_ema.module."),
        "generator_ema.steps": torch.tensor(5)}},
    "Lightning": {"state_dict": prefixed(STATE, "model."), "hyper_parameters": {"lr": 0.1}},
    "Lightning beside a loss": {"state_dict": {**prefixed(STATE, "model."), "loss.vgg.0.weight": torch.ones(1)}},
    "counters as tensors": {"state_dict": STATE, "best_psnr": torch.tensor(30.0), "epoch": torch.tensor(3)},
    "a name of one's own": {"my_generator": STATE, "my_discriminator": OTHER, "optimizer_g": {"state": {}}, "iter": 5},
    "two names of one's own": {"networks": {"mine": STATE}},
    "wrappers written out": {**prefixed(OTHER, "params."), **prefixed(STATE, "params_ema.")},
    "counted by thop": {**STATE, "total_ops": torch.zeros(1), "body.0.total_params": torch.zeros(1)},
    "ours": {"meta": {}, "state_dict": {**prefixed(STATE, "generator."), "discriminator.conv.weight": torch.ones(1)}},
}  # fmt: skip


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.parametrize("way", WRAPPED)
def test_wrappers_and_prefixes_are_taken_off_and_averages_preferred(way: str, tmp_path: Path) -> None:
    found = read_imported(saved(WRAPPED[way], tmp_path / "a.pth"))
    assert same(found.state, STATE)
    assert found.config == {"type": "RRDBNet", "in_channels": 3, "out_channels": 3, "width": 4, "blocks": 2,
                            "growth": 2, "scale": 4}  # fmt: skip


def test_the_model_prefix_of_cyclegans_own_keys_is_left_on(tmp_path: Path) -> None:
    network = ResnetGenerator(width=4, blocks=1)
    assert same(read_imported(saved(network.state_dict(), tmp_path / "g.pth")).state, network.state_dict())
    wrapped = saved({"state_dict": prefixed(network.state_dict(), "model.")}, tmp_path / "w.ckpt")
    assert same(read_imported(wrapped).state, network.state_dict())


def test_safetensors_and_half_precision_files_load_as_float32(tmp_path: Path) -> None:
    halves = {key: value.half() for key, value in STATE.items()}
    save_file(halves, tmp_path / "half.safetensors")
    network = load_network(tmp_path / "half.safetensors")
    assert all(parameter.dtype is torch.float32 for parameter in network.parameters())
    assert torch.equal(network.state_dict()["conv_first.weight"], halves["conv_first.weight"].float())


def test_loading_spends_no_random_numbers(tmp_path: Path) -> None:
    file = saved(STATE, tmp_path / "a.pth")
    torch.manual_seed(1)
    load_network(file)
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(1))


@pytest.mark.parametrize("wrap", [old_spectral_norm, spectral_norm])
@pytest.mark.filterwarnings("ignore:.*spectral_norm.*:FutureWarning")
def test_spectral_norm_is_folded_into_the_weight_that_it_gives(wrap: Any) -> None:
    torch.manual_seed(0)
    network = nn.ModuleDict({"a": wrap(nn.Conv2d(3, 5, 3)), "b": wrap(nn.ConvTranspose2d(4, 2, 3), dim=1)})
    for _ in range(3):  # power iterations, in training
        network["a"](torch.rand(1, 3, 8, 8)), network["b"](torch.rand(1, 4, 8, 8))
    network.eval()
    network["a"](torch.rand(1, 3, 8, 8)), network["b"](torch.rand(1, 4, 8, 8))
    folded = without_spectral_norm(network.state_dict())
    assert set(folded) == {"a.weight", "a.bias", "b.weight", "b.bias"}
    for name, module in network.items():
        assert torch.allclose(folded[f"{name}.weight"], module.weight, atol=1e-6)
    assert torch.linalg.matrix_norm(folded["a.weight"].flatten(1), 2) == pytest.approx(1, abs=0.1)


def test_a_warm_start_fits_the_network_of_a_config(tmp_path: Path) -> None:
    file = saved({"params": OTHER, "params_ema": STATE}, tmp_path / "official.pth")
    network = RRDBNet(width=4, growth=2, blocks=2)
    network.load_state_dict(import_state(file, network))
    assert same(network.state_dict(), STATE)


def test_a_warm_start_goes_under_the_keys_of_spectral_norm(tmp_path: Path) -> None:
    network = RRDBNet(width=4, growth=2, blocks=2)
    spectral_norm(network.conv_hr)
    state = import_state(saved(STATE, tmp_path / "a.pth"), network)
    network.load_state_dict(state)
    assert torch.equal(network.conv_hr.parametrizations.weight.original, STATE["conv_hr.weight"])  # type: ignore[union-attr]


def test_a_warm_start_of_another_network_names_both(tmp_path: Path) -> None:
    file = saved(STATE, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"holds a RRDBNet \(.*blocks 2.*\), not this RRDBNet: missing body\.2"):
        import_state(file, RRDBNet(width=4, growth=2, blocks=3))
    with pytest.raises(UserError, match="not this SRResNet"):
        import_state(file, SRResNet(width=4, blocks=1))


def test_a_format_without_an_ncnn_graph_takes_none() -> None:
    assert SRResNetBasicSR().from_ncnn(None) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_export_translates_a_published_file(suffix: str, tmp_path: Path) -> None:
    file = saved({"params_ema": STATE}, tmp_path / "a.pth")
    old, back = tmp_path / f"old{suffix}", tmp_path / f"back{suffix}"
    assert command("export", "--weights", file, "-o", old, "--layout", "old-arch") == 0
    assert command("export", "--weights", old, "-o", back, "--layout", "basicsr") == 0
    assert same(read_imported(back).state, STATE)
    if suffix == ".pth":
        assert set(torch.load(back, weights_only=True)) == {"params"}
        assert "model.1.sub.1.RDB3.conv5.0.weight" in torch.load(old, weights_only=True)


def test_the_file_alone_is_enough_to_infer(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    write_image(tmp_path / "in.png", array)
    file = saved({"params_ema": STATE}, tmp_path / "official.pth")
    assert command("infer", tmp_path / "in.png", "-o", tmp_path / "out", "--weights", file) == 0
    with torch.no_grad():
        wanted = rrdbnet().eval()(images_to_float(torch.from_numpy(array)[None].permute(0, 3, 1, 2)))
    difference = read_image(tmp_path / "out" / "in.png").astype(int) - tensor_to_image(wanted[0]).astype(int)
    assert difference.shape == (36, 52, 3) and abs(difference).max() <= 1


def test_a_trained_generator_is_exported_in_a_published_layout_and_read_back(tmp_path: Path) -> None:
    network = {"type": "RRDBNet", "width": 4, "growth": 2, "blocks": 2}
    write_config(sr_config(tmp_path, generator=network), tmp_path / "run.yaml")
    saved({"state_dict": prefixed(STATE, "generator."), "meta": {"iter": 3}}, tmp_path / "iter_3.pth")
    file = tmp_path / "x4.pth"
    export = ("export", tmp_path / "run.yaml", tmp_path / "iter_3.pth", "-o", file, "--layout")
    assert command(*export, "xinntao") == 0
    assert "RRDB_trunk.1.RDB3.conv5.bias" in torch.load(file, weights_only=True)
    described = load_exported(file)
    file.with_name("x4.pth.json").unlink()
    alone = load_network(file)
    assert same(described.generator.state_dict(), STATE) and same(alone.state_dict(), STATE)  # type: ignore[operator]
    assert command(*export, "cyclegan") == 2


def test_export_refuses_what_it_cannot_translate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = saved(STATE, tmp_path / "a.pth")
    for arguments, message in (
        (
            ["--weights", file, "-o", tmp_path / "b.pth", "--layout", "mmagic"],
            "RRDBNet has no such layout; known: basicsr",
        ),
        (["--weights", file, "-o", tmp_path / "b.onnx"], "is written as one of .safetensors .pth"),
        (["--weights", file, "-o", file], "is there already and was not written by export"),
        (["run.yaml", "--weights", file, "-o", tmp_path / "b.pth"], "leave CONFIG, CHECKPOINT"),
        (["-o", tmp_path / "b.pth"], "name CONFIG and CHECKPOINT, or --weights FILE"),
    ):
        assert command("export", *arguments) == 2
        assert message in capsys.readouterr().err


def test_a_description_of_absurd_sizes_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    generator = {"type": "RRDBNet", "width": 8, "blocks": 1, "growth": 4}
    algorithm = {"type": "SRGAN", "generator": generator}
    config = Config({"model": algorithm}, tmp_path / "run.yaml")
    built: Any = build_generators(algorithm)
    saved({"state_dict": prefixed(built.generator.state_dict(), "generator.")}, tmp_path / "a.pth")
    (weights,) = export(config, tmp_path / "a.pth", tmp_path / "out.pth")
    assert load_exported(weights)
    description = json.loads(description_file(weights).read_text())
    for name, value in (("width", 1_000_000), ("blocks", 1_000_000_000)):
        description["model"]["generator"] = {**generator, name: value}
        description_file(weights).write_text(json.dumps(description))
        with pytest.raises(UserError, match=r"out\.pth\.json: model\.generator is a network of more than .* numbers"):
            load_exported(weights)

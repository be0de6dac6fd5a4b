"""Spectral norm of any network: its size, choice of layers, gradients, averages, files, resumes, switches."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from runs import command, sr_config, weights, write_config
from toolbox.assembly.export import fold
from toolbox.io.errors import ConfigError
from toolbox.training.finishing import normalize, recompute_blocks
from toolbox.training.moving_average import update_average
from toolbox.weights.importing import import_state
from toolbox.weights.spectral_norm import is_normalized, normalize_spectrally
from toolbox.weights.state import load_portable_state
from toolbox.weights.state_layout import without_spectral_norm
from toolbox_plugins.cnn.generator import ResidualCNN
from toolbox_plugins.esrgan.rrdbnet import RRDBNet
from toolbox_plugins.unit.encoder import UNITEncoder

GENERATOR = {"type": "RRDBNet", "width": 4, "growth": 2, "blocks": 1, "scale": 4}


def largest(weight: Tensor, dimension: int = 0) -> float:
    return float(torch.linalg.svdvals(weight.detach().movedim(dimension, 0).flatten(1))[0])


def sizes(network: nn.Module) -> list[float]:
    """Each normalised layer's largest singular value, by torch's decomposition."""
    layers = [each for each in network.modules() if hasattr(each, "parametrizations")]
    return [largest(each.weight, int(isinstance(each, nn.ConvTranspose2d))) for each in layers]  # type: ignore[arg-type]


def normalised(*layers: nn.Module) -> nn.Sequential:
    network = nn.Sequential(*layers)
    normalize_spectrally(network)
    return network


def bounded(folder: Path, **model: Any) -> dict[str, Any]:
    """A small SRGAN config with an RRDBNet of which every layer is normalised."""
    config = sr_config(folder, **{"generator": GENERATOR, "spectral_norm": {"generator": ["*"]}, **model})
    config["model"]["degradation"]["scale"] = 4
    return config


@pytest.mark.parametrize(
    ("layer", "dimension"),
    [(nn.Conv2d(3, 8, 3), 0), (nn.ConvTranspose2d(6, 4, 3), 1), (nn.Conv1d(3, 5, 3), 0), (nn.Linear(7, 5), 0)],
    ids=["Conv2d", "ConvTranspose2d", "Conv1d", "Linear"],
)
def test_the_largest_singular_value_becomes_one(layer: nn.Module, dimension: int) -> None:
    normalize_spectrally(layer)
    used = [layer.weight for _ in range(200)]  # in training, each use takes a power iteration
    assert largest(used[-1], dimension) == pytest.approx(1, abs=1e-4)  # type: ignore[arg-type]


def test_a_diagonal_weight_is_divided_by_its_largest_entry() -> None:
    layer = nn.Linear(3, 3, bias=False)
    layer.weight.data = torch.diag(torch.tensor([4.0, 2.0, 1.0]))
    normalize_spectrally(layer)
    for _ in range(50):
        layer(torch.ones(1, 3))
    assert torch.allclose(layer.weight, torch.diag(torch.tensor([1.0, 0.5, 0.25])), atol=1e-5)


def test_patterns_choose_layers_and_one_that_names_none_is_refused() -> None:
    network = ResidualCNN(width=4, blocks=2)
    names = [name for name, each in network.named_modules() if isinstance(each, nn.Conv2d)]
    normalize_spectrally(network, [names[0], "*" + names[-1][-4:]])
    changed = [name for name, each in network.named_modules() if hasattr(each, "parametrizations")]
    assert names[0] in changed and names[-1] in changed and len(changed) < len(names)
    with pytest.raises(ConfigError, match=r"ResidualCNN has no layer 'boddy\.\*' to normalise; it has"):
        normalize_spectrally(network, ["boddy.*"])


def test_no_layer_is_normalised_twice() -> None:
    network = normalised(nn.Conv2d(3, 4, 3))
    before = list(network.state_dict())
    normalize_spectrally(network)
    assert list(network.state_dict()) == before


def test_the_config_normalises_networks_of_every_kind() -> None:
    networks: dict[str, nn.Module] = {"encoder_a": UNITEncoder(width=4, blocks=1), "generator": ResidualCNN(width=4)}
    normalize(networks, {"spectral_norm": {"encoder_a": ["*"], "discriminator": ["*"]}})
    assert is_normalized(networks["encoder_a"]) and not is_normalized(networks["generator"])


def test_a_network_that_the_algorithm_has_not_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = sr_config(tmp_path, spectral_norm={"generater": ["*"]})
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    assert "model.spectral_norm.generater: 'generater' is no network of SRGAN" in capsys.readouterr().err


def test_gradients_pass_twice() -> None:
    network = normalised(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Conv2d(3, 1, 2)).double().eval()
    images = torch.rand(1, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    original: Any = network[0].parametrizations["weight"].original  # type: ignore[index]

    def answer(images: Tensor, _: Tensor) -> Tensor:
        return network(images)

    assert torch.autograd.gradcheck(answer, (images, original))
    assert torch.autograd.gradgradcheck(answer, (images, original))


def test_a_penalty_on_the_slope_in_training_reaches_the_weight() -> None:
    network = normalised(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 1, 3))
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    total = network(images).sum() + network(images.flip(0)).sum()  # the vectors move between the two
    (slope,) = torch.autograd.grad(total, images, create_graph=True)
    slope.square().sum().backward()
    gradients = [p.grad for name, p in network.named_parameters() if name.endswith("original")]
    assert all(each is not None and float(each.abs().sum()) > 0 for each in gradients)


def test_autocast_leaves_the_weight_in_float32() -> None:
    layer = normalised(nn.Linear(64, 64)).eval()[0]
    with torch.autocast("cpu", torch.bfloat16):
        inside = layer.weight
    assert isinstance(inside, Tensor) and inside.dtype == torch.float32
    assert torch.equal(inside, layer.weight)  # type: ignore[arg-type]


def test_channels_last_gives_the_same_weights() -> None:
    network = normalised(nn.Conv2d(8, 8, 3))
    other = deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.rand(1, 8, 9, 9)
    assert torch.allclose(network(images), other(images), atol=1e-6)


def test_power_iterations_are_not_recomputed() -> None:
    network = ResidualCNN(width=4, blocks=1)
    normalize_spectrally(network)
    name = next(iter(dict(network.named_children())))
    with pytest.raises(ConfigError, match="power iterations"):
        recompute_blocks(network, [name])


# ---------------------------------------------------------------------- copies and averages


def test_the_average_of_turning_singular_vectors_stays_normalised() -> None:
    network = normalised(nn.Linear(2, 2, bias=False))
    original: Any = network[0].parametrizations["weight"].original  # type: ignore[index]
    original.data = torch.diag(torch.tensor([2.0, 1.0]))
    for _ in range(50):
        network(torch.ones(1, 2))
    average = deepcopy(network).requires_grad_(False)
    original.data = torch.diag(torch.tensor([1.0, 2.0]))
    for _ in range(300):
        network(torch.ones(1, 2))
        update_average(average, network, 0.99)
    averaged: Any = average[0].parametrizations["weight"]  # type: ignore[index]
    share = 0.99**300  # of the first weight
    assert torch.allclose(averaged.original, torch.diag(torch.tensor([1 + share, 2 - share])), atol=1e-4)
    assert float(averaged[0]._u.norm()) == pytest.approx(1, abs=1e-5)
    assert sizes(average.eval()) == pytest.approx([1.0], abs=1e-3)


def test_folding_a_copy_leaves_the_network_whole() -> None:
    network = normalised(nn.Conv2d(3, 4, 3)).eval()
    images = torch.rand(1, 3, 6, 6)
    folded = fold(deepcopy(network))
    assert type(folded[0]) is nn.Conv2d and folded[0].weight.requires_grad  # type: ignore[index]
    assert torch.equal(folded(images), network(images)) and is_normalized(network)


def test_folding_keeps_other_parametrisations_right() -> None:
    network = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)))
    before = network(images := torch.rand(1, 3, 6, 6))
    assert torch.equal(fold(network)(images), before) and set(network.state_dict()) == {"0.weight", "0.bias"}


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("channels", [(4, 4), (4, 6)])
def test_a_file_of_a_normalised_transposed_convolution_gives_its_weight(channels: tuple[int, int]) -> None:
    network = normalised(nn.ConvTranspose2d(*channels, 3)).eval()
    folded = without_spectral_norm(network.state_dict())
    assert torch.allclose(folded["0.weight"], network[0].weight, atol=1e-6)  # type: ignore[arg-type]


def test_plain_weights_are_normalised_from_the_first_call(tmp_path: Path) -> None:
    plain, network = (RRDBNet(width=4, growth=2, blocks=1) for _ in range(2))
    normalize_spectrally(network)
    torch.save({"params": plain.state_dict()}, tmp_path / "plain.pth")
    network.load_state_dict(import_state(tmp_path / "plain.pth", network))
    assert sizes(network.eval()) == pytest.approx([1.0] * len(sizes(network)), abs=1e-4)
    trained: Any = network.conv_first
    assert torch.equal(trained.parametrizations["weight"].original, plain.conv_first.weight)


def test_a_second_stage_normalises_what_the_first_did_not() -> None:
    plain, model = (nn.ModuleDict({"generator": nn.Sequential(nn.Conv2d(3, 4, 3))}) for _ in range(2))
    normalize_spectrally(model)
    load_portable_state(model, plain.state_dict(), "first.pth", partly=True)
    assert sizes(model.eval()) == pytest.approx([1.0], abs=1e-5)


def test_a_run_exports_plain_names_and_begins_from_its_own_export(tmp_path: Path) -> None:
    file = write_config(bounded(tmp_path), tmp_path / "run.yaml")
    exported = tmp_path / "x4.safetensors"
    assert command("train", file) == 0
    assert command("export", file, tmp_path / "run" / "iter_6.pth", "-o", exported) == 0
    state = load_file(exported)
    assert set(state) == set(RRDBNet(width=4, growth=2, blocks=1).state_dict())
    again = RRDBNet(width=4, growth=2, blocks=1)
    normalize_spectrally(again)
    again.load_state_dict(import_state(exported, again))
    for key, value in without_spectral_norm(again.state_dict()).items():
        assert torch.allclose(value, state[key] / (largest(state[key]) if value.ndim > 1 else 1), atol=1e-5), key
    second = bounded(tmp_path, ema=None) | {"load_from": {"generator": str(exported)}}
    assert command("train", write_config(second, tmp_path / "second.yaml")) == 0


def test_a_resumed_run_with_both_networks_normalised_is_bit_exact(tmp_path: Path) -> None:
    ada = {"type": "ADA", "start": 0.5, "images": 100, "interval": 3}  # iteration 4 ends amid an interval
    noise = {"type": "InstanceNoise", "until": 5}
    variant = {"type": "SpectralNorm", "base": {"type": "Hinge"}, "augmentations": [ada, noise]}
    config = bounded(tmp_path, variant=variant)
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file) == 0
    whole = weights(tmp_path / "run" / "iter_6.pth")
    for later in ("iter_6.pth", "last_checkpoint"):
        (tmp_path / "run" / later).unlink()
    assert command("train", file, "--resume") == 0
    resumed = weights(tmp_path / "run" / "iter_6.pth")
    assert any(name.startswith("generator_ema.") and name.endswith("_u") for name in whole)
    assert [float(v) for name, v in whole.items() if name.endswith("augmentations.0.p")] == pytest.approx([0.38])
    assert whole.keys() == resumed.keys() and all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_weight_decay_of_the_discriminators_optimizer_shrinks_it(tmp_path: Path) -> None:
    norms = []
    for decay in (0.0, 0.5):
        config = sr_config(tmp_path)
        optimizer = {"type": "AdamW", "lr": 1e-1, "weight_decay": decay}
        config["optim_wrapper"] = {**config["optim_wrapper"], "discriminator": {"optimizer": optimizer}}
        assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
        state = weights(tmp_path / "run" / "iter_6.pth")
        norms.append(sum(float(v.norm()) for key, v in state.items() if key.startswith("discriminator.")))
    assert norms[1] < norms[0]


def test_what_is_normalised_already_is_not_touched_whether_gradients_are_taken_or_not() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3))
    normalize_spectrally(network)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    normalize_spectrally(network)
    with torch.no_grad():
        normalize_spectrally(network)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())

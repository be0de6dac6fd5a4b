"""Every registered checkpoint format: what it writes it recognises, alone, and reads back bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from toolbox.contracts.checkpoint_format import CheckpointFormat
from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry
from toolbox.weights.importing import formats, import_state, load_network, recognise

NETWORKS = {
    "RRDBNet": [
        {"in_channels": 3, "out_channels": 3, "width": 8, "blocks": 2, "growth": 4, "scale": 4},
        {"in_channels": 3, "out_channels": 3, "width": 8, "blocks": 1, "growth": 4, "scale": 2},
        {"in_channels": 1, "out_channels": 1, "width": 8, "blocks": 1, "growth": 4, "scale": 1},
        *({"in_channels": 3, "out_channels": 3, "width": 4, "blocks": 1, "growth": 2, "scale": scale, **fold}
          for scale, fold in ((1, {"fold": False}), (2, {"fold": False}), (8, {}))),
    ],
    "SRVGGNetCompact": [
        {"in_channels": 3, "out_channels": 3, "width": 8, "convs": 2, "scale": 4, "activation": "prelu"},
        {"in_channels": 1, "out_channels": 3, "width": 8, "convs": 0, "scale": 2, "activation": "prelu"},
    ],
    "SPAN": [
        {"in_channels": 3, "out_channels": 3, "width": 8, "scale": 4, "centred": True},
        {"in_channels": 1, "out_channels": 1, "width": 4, "scale": 1, "centred": True},
        {"in_channels": 3, "out_channels": 3, "width": 4, "scale": 2, "centred": False},
    ],
    "RealPLKSR": [
        {"in_channels": channels, "out_channels": channels, "width": 8, "blocks": 2, "kernel": 5, "share": 0.25,
         "attention": scale != 3, "norm": norm, "scale": scale, "upsampler": upsampler}
        for channels, scale, norm, upsampler in (
            (3, 4, "group", "shuffle"), (3, 1, "layer", "dysample"), (1, 2, "group", "dysample"),
            (3, 3, "layer", "dysample"))
    ],
    "RCAN": [
        {"in_channels": channels, "out_channels": channels, "width": 8, "groups": 2, "blocks": 1, "reduction": 4,
         "scale": scale, "fold": fold, "centred": centred}
        for channels, scale, fold, centred in (
            (3, 4, False, True), (1, 1, False, True), (3, 3, False, False), (3, 1, True, True), (1, 2, True, False))
    ],
    "DAT": [
        {"in_channels": channels, "out_channels": channels, "width": 32, "depths": [3, 1], "heads": [2, 4],
         "window": [2, 4], "expansion": 2.0, "bias": scale != 3, "convolutions": convolutions, "scale": scale,
         "direct": direct}
        for channels, scale, convolutions, direct in (
            (3, 4, 3, True), (1, 1, 1, True), (3, 3, 1, False), (3, 1, 3, False))
    ],
    "SRResNet": [
        {"in_channels": 3, "out_channels": 3, "width": 8, "blocks": 2, "scale": scale} for scale in (2, 3, 4, 8)
    ],
    "ResnetGenerator": [
        {"in_channels": 3, "out_channels": 3, "width": 4, "blocks": 2, "norm": "instance", "dropout": False,
         "upsample": "transposed", "antialias": False},
        {"in_channels": 1, "out_channels": 2, "width": 4, "blocks": 1, "norm": "batch", "dropout": True,
         "upsample": "resize", "antialias": False},
        {"in_channels": 3, "out_channels": 3, "width": 4, "blocks": 1, "norm": "instance_affine", "dropout": False,
         "upsample": "transposed", "antialias": True},
    ],
    "MUNITGenerator": [
        {"in_channels": 1, "out_channels": 2, "width": 4, "downsamplings": 2, "blocks": 1, "style_channels": 3,
         "style_width": 5},
    ],
    "UNITGenerator": [
        {"in_channels": 3, "out_channels": 3, "width": 4, "downsamplings": 2, "blocks": 2},
        {"in_channels": 1, "out_channels": 2, "width": 4, "downsamplings": 1, "blocks": 1},
    ],
    "TransformNet": [
        {"in_channels": 3, "out_channels": 3, "width": 4, "blocks": 2},
        {"in_channels": 1, "out_channels": 2, "width": 4, "blocks": 0},
    ],
    "UnetGenerator": [
        {"in_channels": 3, "out_channels": 1, "width": 4, "levels": levels, "norm": norm}
        for levels, norm in ((2, "instance"), (4, "batch"), (3, "instance_affine"))
    ],
    "UNetDiscriminator": [{"in_channels": 3, "width": 4, "spectral_norm": False}],
    "VGGStyleDiscriminator": [
        {"in_channels": 3, "width": 4, "stages": 5, "image_size": 64, "norm": "batch"},
        {"in_channels": 1, "width": 4, "stages": 3, "image_size": 32, "norm": "none"},
    ],
    "PatchDiscriminator": [
        {"in_channels": 3, "width": 4, "layers": 3, "norm": "instance", "antialias": False},
        {"in_channels": 6, "width": 4, "layers": 1, "norm": "batch", "antialias": False},
        {"in_channels": 3, "width": 4, "layers": 2, "norm": "instance", "antialias": True},
    ],
}  # fmt: skip
"""Small ones of each network that formats exist for; another needs an entry, if its format is not asked last."""
CASES = [
    pytest.param(name, arguments, id=f"{name}-{i}")
    for name, each in sorted(formats().items())
    if not each.fallback
    for i, arguments in enumerate(NETWORKS[each.network])
]


def network_of(name: str, arguments: dict[str, object]) -> tuple[CheckpointFormat, nn.Module]:
    found = formats()[name]
    torch.manual_seed(0)
    return found, registry(found.kind).get(found.network)(**arguments)


def file_of(found: CheckpointFormat, network: nn.Module, path: Path) -> Path:
    state = found.restore(network.state_dict())
    torch.save({found.wrapper: state} if found.wrapper else state, path)
    return path


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_published_file_is_recognised_and_gives_the_network_back(name: str, arguments, tmp_path: Path) -> None:
    found, network = network_of(name, arguments)
    published = found.restore(network.state_dict())
    assert len(published) >= len(network.state_dict()), "several keys became one"
    imported = recognise(published, "a file")
    assert type(imported.format) is type(found)
    assert imported.config == {"type": found.network, **arguments}
    assert same(imported.state, network.state_dict())
    file = file_of(found, network, tmp_path / "a.pth")
    if found.kind == "discriminators":
        again = registry(found.kind).get(found.network)(**arguments)
        assert same(import_state(file, again), network.state_dict())
        with pytest.raises(UserError, match="is a discriminator, which judges pictures and makes none"):
            load_network(file)
        return
    loaded, images = load_network(file), torch.rand(1, arguments["in_channels"], 16, 16)
    with torch.no_grad():
        assert torch.equal(loaded(images), network.eval()(images)) and not loaded.training


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_no_other_format_takes_the_file(name: str, arguments) -> None:
    found, network = network_of(name, arguments)
    keys = found.restore(network.state_dict()).keys()
    keys = {key.removeprefix("generator.") for key in keys}
    assert [other for other, each in formats().items() if not each.fallback and each.matches(keys)] == [name]


def test_every_format_of_a_network_has_a_layout_of_its_own() -> None:
    pairs = [(each.network, each.layout) for each in formats().values()]
    assert len(set(pairs)) == len(pairs)


def test_the_published_keys_are_those_of_the_papers_repositories() -> None:
    arguments = NETWORKS["RRDBNet"][0]
    found, network = network_of("RRDBNetXinntao", arguments)
    keys = set(found.restore(network.state_dict()))
    assert {"RRDB_trunk.1.RDB3.conv5.bias", "trunk_conv.weight", "upconv2.weight", "HRconv.bias"} <= keys
    found, network = network_of("RRDBNetOldArch", arguments)
    keys = set(found.restore(network.state_dict()))
    assert {"model.0.weight", "model.1.sub.1.RDB3.conv5.0.bias", "model.1.sub.2.weight", "model.10.bias"} <= keys
    found, network = network_of("SRResNetMMagic", NETWORKS["SRResNet"][2])
    keys = set(found.restore(network.state_dict()))
    assert {"generator.trunk_net.1.conv2.weight", "generator.upsample2.upsample_conv.bias"} <= keys


def test_esrgan_plus_and_sixteen_times_are_refused_by_name() -> None:
    found, network = network_of("RRDBNetOldArch", NETWORKS["RRDBNet"][0])
    state = found.restore(network.state_dict())
    plus = {**state, "model.1.sub.0.RDB1.conv1x1.weight": torch.zeros(4, 8, 1, 1)}
    with pytest.raises(UserError, match=r"it is ESRGAN\+'s network"):
        recognise(plus, "plus.pth")
    moved = {"model.8.": "model.14.", "model.10.": "model.16."}
    x16 = {next((key.replace(a, b) for a, b in moved.items() if key.startswith(a)), key): v for key, v in state.items()}
    x16 |= {f"model.{place}.{part}": state[f"model.3.{part}"] for place in (9, 12) for part in ("weight", "bias")}
    with pytest.raises(UserError, match="it enlarges 4 times by 2, and RRDBNet at most 3 times"):
        recognise(x16, "x16.pth")


@pytest.mark.parametrize(("scale", "places"), [(1, (2, 4)), (2, (3, 5, 7)), (4, (3, 6, 8, 10)), (8, (3, 6, 9, 11, 13))])
def test_an_old_file_of_each_scale_is_read_as_that_scale(scale: int, places: tuple[int, ...], tmp_path: Path) -> None:
    """Where the old architecture's `B.sequential(conv, shortcut, *ups, conv, act, conv)` has its convolutions."""
    trunk = registry("generators").get("RRDBNet")(width=4, blocks=1, growth=2)
    found = formats()["RRDBNetOldArch"]
    state = {key: value for key, value in found.restore(trunk.state_dict()).items()
             if key.startswith(("model.0.", "model.1."))}  # fmt: skip
    for number, place in enumerate(places):
        last = place == places[-1]
        state[f"model.{place}.weight"] = torch.randn(3 if last else 4, 4, 3, 3)
        state[f"model.{place}.bias"] = torch.full((3 if last else 4,), float(number))
    torch.save(state, tmp_path / "old.pth")
    network = load_network(tmp_path / "old.pth")
    assert network(torch.rand(1, 3, 5, 7)).shape == (1, 3, 5 * scale, 7 * scale)
    names = [f"conv_up{number}" for number in range(1, len(places) - 1)] + ["conv_hr", "conv_last"]
    own = network.state_dict()
    assert [own[f"{name}.bias"][0].item() for name in names] == list(range(len(places)))
    assert same(found.restore(own), state)


def test_a_bsrgan_file_of_twice_the_size_is_no_folded_network(tmp_path: Path) -> None:
    network = registry("generators").get("RRDBNet")(width=4, blocks=1, growth=2, scale=2, fold=False)
    state = formats()["RRDBNetXinntao"].restore(network.state_dict())
    assert "upconv1.weight" in state and "upconv2.weight" not in state and state["conv_first.weight"].shape[1] == 3
    torch.save(state, tmp_path / "BSRGANx2.pth")
    loaded, images = load_network(tmp_path / "BSRGANx2.pth"), torch.rand(1, 3, 5, 7)
    assert loaded.multiple == 1 and torch.equal(loaded(images), network.eval()(images))


def test_activations_without_weights_are_refused_by_name() -> None:
    compact = registry("generators").get("SRVGGNetCompact")(width=8, convs=1, activation="relu")
    with pytest.raises(UserError, match="its activations have no weights"):
        recognise(compact.state_dict(), "relu.pth")


def test_running_statistics_that_old_cyclegan_files_carry_are_left_out() -> None:
    _, network = network_of("ResnetGeneratorOfficial", NETWORKS["ResnetGenerator"][0])
    old = {
        **network.state_dict(),
        "model.2.running_mean": torch.zeros(4),
        "model.2.num_batches_tracked": torch.tensor(3),
    }
    assert same(recognise(old, "old.pth").state, network.state_dict())


def test_affine_instance_norm_with_stale_statistics_is_not_taken_for_batch_norm() -> None:
    arguments = NETWORKS["ResnetGenerator"][2]
    _, network = network_of("ResnetGeneratorOfficial", arguments)
    old = {**network.state_dict(), "model.2.running_mean": torch.zeros(4), "model.2.running_var": torch.ones(4)}
    found = recognise(old, "old.pth")
    assert found.config == {"type": "ResnetGenerator", **arguments} and same(found.state, network.state_dict())


def even(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights that anybody can compute: 0.05 sin(0.7 j + i) for number j of the i-th key in the alphabet."""
    return {
        key: 0.05 * torch.sin(torch.arange(value.numel(), dtype=torch.float64) * 0.7 + i).reshape(value.shape).float()
        for i, (key, value) in enumerate(sorted(state.items()))
    }


@pytest.mark.parametrize(
    ("name", "arguments", "wanted"),
    [
        ("RRDBNetBasicSR", {"scale": 4}, [-0.03660168, 0.0161617, -0.01649616, -0.0094251, -0.0345667, 0.03618469]),
        ("RRDBNetXinntao", {"scale": 2}, [-0.1419964, -0.0482815, 0.1380437, 0.04589849, -0.03413432, 0.1155125]),
        ("RRDBNetOldArch", {"scale": 1}, [-0.05394292, -0.050184, -0.01033131, -0.002748818, -0.034231, 0.0212003]),
        ("SRVGGNetCompactBasicSR", {"scale": 4}, [0.964529, 0.2758946, 0.4803683, 0.2290223, 0.5030449, 0.3560139]),
    ],
)
def test_networks_of_known_weights_give_what_spandrel_gave(name: str, arguments, wanted, tmp_path: Path) -> None:
    """Four pixels, mean and deviation, computed by spandrel 0.4.2 from the same state dict."""
    sizes = {"convs": 3} if "Compact" in name else {"growth": 32, "blocks": 1}
    found, network = network_of(name, {"width": 8, **sizes, **arguments})
    network.load_state_dict(even(network.state_dict()))
    images = (torch.cos(torch.arange(192, dtype=torch.float64) * 0.9).reshape(1, 3, 8, 8).float() + 1) / 2
    with torch.no_grad():
        output = load_network(file_of(found, network, tmp_path / "a.pth"))(images)
    flat = output.flatten()
    given = [flat[0], flat[len(flat) // 3 + 5], flat[len(flat) // 2 + 2], flat[-1], output.mean(), output.std()]
    assert [value.item() for value in given] == pytest.approx(wanted, abs=1e-5)

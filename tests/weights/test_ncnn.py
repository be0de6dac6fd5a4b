"""ncnn's models: the documented layout of the weights, the graph that must be the network's, and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from fuzzing import bytewise, fuzz, refused_quickly, scrambled
from toolbox.io.errors import UserError
from toolbox.weights.importing import load_network, read_imported
from toolbox.weights.ncnn import read_ncnn
from toolbox_plugins.esrgan.rrdbnet import RRDBNet
from toolbox_plugins.realesrgan.srvgg import SRVGGNetCompact
from toolbox_plugins.span.generator import MEAN, SPAN

TAG = bytes.fromhex("476b3001")  # 0x01306B47, little-endian


class Writer:
    """Writes a network as ncnn's converters do: float16 weights, float32 biases and slopes."""

    def __init__(self) -> None:
        self.lines: list[str] = ["Input input 0 1 data"]
        self.weights = b""

    def layer(self, kind: str, inputs: list[str], settings: str = "") -> str:
        out = f"b{len(self.lines)}"
        self.lines.append(f"{kind} {kind}_{len(self.lines)} {len(inputs)} 1 {' '.join(inputs)} {out} {settings}")
        return out

    def conv(self, conv: nn.Conv2d, source: str, *, leaky: bool = False) -> str:
        numbers = conv.weight.detach().numpy().astype("<f2").tobytes()
        assert conv.bias is not None
        self.weights += TAG + numbers + bytes(-len(numbers) % 4) + conv.bias.detach().numpy().astype("<f4").tobytes()
        kernel, padding = conv.kernel_size[0], f"4={conv.padding[0]} " if conv.padding[0] else ""
        settings = f"0={conv.out_channels} 1={kernel} {padding}5=1 6={conv.weight.numel()}"
        return self.layer("Convolution", [source], settings + (" 9=2 -23310=1,2.000000e-01" if leaky else ""))

    def split(self, source: str, number: int) -> list[str]:
        names = [f"{source}_split_{i}" for i in range(number)]
        self.lines.append(f"Split split_{source} 1 {number} {source} {' '.join(names)}")
        return names

    def save(self, path: Path) -> Path:
        path.with_suffix(".bin").write_bytes(self.weights)
        path.with_suffix(".param").write_text(
            "\n".join(["7767517", f"{len(self.lines)} {len(self.lines) + 7}", *self.lines]) + "\n"
        )
        return path.with_suffix(".param")


def halved(network: nn.Module) -> nn.Module:
    """The network with the weights that float16 can hold."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0, 0.1)
            module.weight.data = module.weight.data.half().float()
    return network.eval()


def compact(folder: Path, *, reduced: str = "") -> tuple[Path, SRVGGNetCompact]:
    network = halved(SRVGGNetCompact(width=5, convs=1, scale=2))
    assert isinstance(network, SRVGGNetCompact)
    w = Writer()
    base, blob = w.split("data", 2)
    for module in network.body:
        if isinstance(module, nn.Conv2d):
            blob = w.conv(module, blob)
        else:
            assert isinstance(module, nn.PReLU)
            w.weights += module.weight.detach().numpy().astype("<f4").tobytes()
            blob = w.layer("PReLU", [blob], "0=5")
    blob = w.layer("PixelShuffle", [blob], "0=2")
    enlarged = w.layer("Interp", [base], "0=1 1=2.000000e+00 2=2.000000e+00")
    blob = w.layer("BinaryOp", [blob, enlarged])
    if reduced:
        w.layer("Interp", [blob], reduced)
    return w.save(folder / "compact"), network


def dense(folder: Path, *, share: str = "2.000000e-01", cycle: bool = False) -> tuple[Path, RRDBNet]:
    network = halved(RRDBNet(width=3, growth=2, blocks=1))
    assert isinstance(network, RRDBNet)
    w = Writer()
    first = features = w.conv(network.conv_first, "data")
    for block in network.body:
        start = features
        for rdb in block.children():
            inputs, source = [features], features
            for conv in (rdb.conv1, rdb.conv2, rdb.conv3, rdb.conv4):  # type: ignore[union-attr]
                made = w.conv(conv, source, leaky=True)  # type: ignore[arg-type]
                inputs.append(made)
                source = w.layer("Concat", inputs[::-1] if cycle else inputs)
            blob = w.conv(rdb.conv5, source)  # type: ignore[arg-type]
            features = w.layer("Eltwise", [blob, features], f"0=1 -23301=2,{share},1.000000e+00")
        scaled = w.layer("BinaryOp", [features], "0=2 1=1 2=2.000000e-01")  # another converter's way to write it
        features = w.layer("BinaryOp", [start, scaled], "0=0")
    blob = w.layer("BinaryOp", [first, w.conv(network.conv_body, features)], "0=0")
    for conv in (network.conv_up1, network.conv_up2):
        blob = w.conv(conv, w.layer("Interp", [blob], "0=1 1=2.000000e+00 2=2.000000e+00"), leaky=True)
    blob = w.layer("ReLU", [w.conv(network.conv_hr, blob)], "0=2.000000e-01")
    w.conv(network.conv_last, blob)
    return w.save(folder / "dense"), network


def attentive(folder: Path, *, half: str = "5.000000e-01", mean: tuple[float, ...] = MEAN) -> tuple[Path, SPAN]:
    network = halved(SPAN(width=4, scale=2))
    assert isinstance(network, SPAN)
    w = Writer()
    w.lines.append("MemoryData mean 0 1 mean 0=1 1=1 2=3")
    w.weights += np.array(mean, "<f4").tobytes()
    moved = w.layer("BinaryOp", ["data", "mean"], "0=1")
    first = features = w.conv(network.conv_1, w.layer("BinaryOp", [moved], "0=2 1=1 2=2.550000e+02"))
    kept = inner = first
    for number in range(1, 7):
        block = network.get_submodule(f"block_{number}")
        inner = w.layer("Swish", [w.conv(block.c1_r, features)])  # type: ignore[arg-type]
        found = w.conv(block.c3_r, w.layer("Swish", [w.conv(block.c2_r, inner)]))  # type: ignore[arg-type]
        weighed = w.layer("BinaryOp", [w.layer("Sigmoid", [found])], f"0=1 1=1 2={half}")
        features = w.layer("BinaryOp", [w.layer("BinaryOp", [found, features], "0=0"), weighed], "0=2")
        kept = features if number == 1 else kept
    fused = w.conv(network.conv_cat, w.layer("Concat", [first, w.conv(network.conv_2, features), kept, inner]))
    w.layer("PixelShuffle", [w.conv(network.upsampler, fused)], "0=2")
    return w.save(folder / "attentive"), network


def images() -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).random((1, 3, 8, 9), np.float32))


@pytest.mark.parametrize("make", [compact, dense, attentive])
@pytest.mark.parametrize("suffix", [".param", ".bin"])
def test_an_ncnn_model_gives_what_the_network_gave_from_either_of_its_files(make, suffix: str, tmp_path: Path) -> None:
    file, network = make(tmp_path)
    loaded = load_network(file.with_suffix(suffix))
    assert type(loaded) is type(network)
    with torch.no_grad():
        assert torch.equal(loaded(images()), network(images()))


def test_blocks_width_and_scale_are_inferred(tmp_path: Path) -> None:
    assert read_imported(dense(tmp_path)[0]).config == {
        "type": "RRDBNet", "in_channels": 3, "out_channels": 3, "width": 3, "blocks": 1, "growth": 2, "scale": 4,
    }  # fmt: skip
    assert read_imported(compact(tmp_path)[0]).config == {
        "type": "SRVGGNetCompact", "in_channels": 3, "out_channels": 3, "width": 5, "convs": 1, "scale": 2,
        "activation": "prelu",
    }  # fmt: skip
    assert read_imported(attentive(tmp_path)[0]).config == {
        "type": "SPAN", "in_channels": 3, "out_channels": 3, "width": 4, "scale": 2, "centred": True,
    }  # fmt: skip


def test_an_odd_number_of_half_precision_weights_is_padded_to_four_bytes(tmp_path: Path) -> None:
    w = Writer()
    conv = nn.Conv2d(3, 1, 3, padding=1)  # 27 weights
    w.conv(conv, "data")
    assert len(w.weights) == 4 + 56 + 4
    ((weight, bias),) = read_ncnn(w.save(tmp_path / "odd")).convolutions
    assert torch.equal(weight, conv.weight.detach().half().float()) and torch.equal(bias, conv.bias.detach())


def test_float32_weights_are_read_too(tmp_path: Path) -> None:
    w = Writer()
    conv = nn.Conv2d(3, 1, 3, padding=1)
    w.conv(conv, "data")
    assert conv.bias is not None
    w.weights = bytes(4) + conv.weight.detach().numpy().tobytes() + conv.bias.detach().numpy().tobytes()
    assert torch.equal(read_ncnn(w.save(tmp_path / "single")).convolutions[0][0], conv.weight.detach())


def test_a_graph_that_computes_something_else_with_the_same_weights_is_refused(tmp_path: Path) -> None:
    for options in ({"share": "3.000000e-01"}, {"cycle": True}):
        with pytest.raises(UserError, match="is none of those that can be imported: RRDBNet, SPAN, SRVGGNetCompact"):
            load_network(dense(tmp_path, **options)[0])
    for options in ({"half": "4.000000e-01"}, {"mean": (0.5, 0.5, 0.5)}):
        with pytest.raises(UserError, match="is none of those that can be imported"):
            load_network(attentive(tmp_path, **options)[0])
    with pytest.raises(UserError, match=r"the x2 network with its output reduced to 0\.5; import the x2 file"):
        load_network(compact(tmp_path, reduced="0=3 1=5.000000e-01 2=5.000000e-01")[0])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("7767517", "7767518", "is no ncnn graph"),
        ("PReLU", "Softmax", r"compact\.param:6: is a Softmax; only Input, Split, Convolution"),
        ("4=1 5=1", "4=0 5=1", "is a Convolution with 4="),
        ("0=5 1=3", "0=9999999 1=3", "without width, kernel"),
        ("6=135", "6=136", "has 136 weights where 3 to 5 channels need 135"),
        ("1=2.000000e+00", "1=nan", "is not finite"),
        ("data_split_1", "data_split_9", "reads 'data_split_1', which no layer before it writes"),
    ],
)
def test_what_a_graph_has_that_cannot_be_imported_is_named_with_its_line(old, new, message, tmp_path: Path) -> None:
    file, _ = compact(tmp_path)
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(UserError, match=message):
        load_network(file)


def test_missing_cut_and_overlong_files_are_named(tmp_path: Path) -> None:
    file, _ = compact(tmp_path)
    weights = file.with_suffix(".bin")
    content = weights.read_bytes()
    weights.write_bytes(content[:-1])
    with pytest.raises(UserError, match=rf"has {len(content) - 1} bytes, and {len(content)} are needed"):
        load_network(file)
    weights.write_bytes(content + b"x")
    with pytest.raises(UserError, match="has 1 bytes more than the graph needs"):
        load_network(file)
    weights.write_bytes(b"\1\2\3\4" + content[4:])
    with pytest.raises(UserError, match="weights of the kind 0x04030201 at byte 0"):
        load_network(file)
    weights.unlink()
    with pytest.raises(UserError, match=r"compact\.bin: is missing; an ncnn model is a \.param and a \.bin"):
        load_network(file)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    file, _ = compact(tmp_path_factory.mktemp("ncnn"))
    return file, file.read_bytes(), file.with_suffix(".bin").read_bytes()


@settings(fuzz, max_examples=300)
@given(graph=bytewise | st.just([]), weights=bytewise | st.just([]))
def test_damaged_ncnn_files_are_refused_in_one_line_or_read(model, graph, weights) -> None:
    file, text, content = model
    pieces = [b"0=99999999", b"-23310=99,1", b" 9 9 ", b"Split", b"\xff", b"1e999", b"=", b"\n", b"6=1000000000"]
    file.write_bytes(scrambled(text, graph, pieces))
    file.with_suffix(".bin").write_bytes(scrambled(content, weights, pieces))
    with refused_quickly("compact"):
        load_network(file)

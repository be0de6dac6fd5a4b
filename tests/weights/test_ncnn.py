"""ncnn's models: the documented layout of the weights, the graph that must be the network's, and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from attacks.damage import scrambled
from fuzzing import bytewise, fuzz, refused_quickly
from ncnn_files import Writer, attentive, compact, dense
from toolbox.io.errors import UserError
from toolbox.weights.importing import load_network, read_imported
from toolbox.weights.ncnn import read_ncnn


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

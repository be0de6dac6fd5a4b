"""Files of other runtimes from strangers: nothing outside them is read, and none fills memory or ends the process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import exported
from runs import refused
from toolbox.assembly.export_graph import export_graph
from toolbox.inference import trial
from toolbox.io.images import write_image

pytestmark = pytest.mark.usefixtures("converted_once", "forked_trials")
IMAGE = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["b", 3, "h", "w"])
MADE = helper.make_tensor_value_info("made", TensorProto.FLOAT, None)


def model(*nodes: Any, tensors: tuple[Any, ...] = (), domain: str | None = None) -> Any:
    """An ONNX model of these nodes, from `images` to `made`."""
    opsets = [helper.make_opsetid("", 20), *([helper.make_opsetid(domain, 1)] if domain else [])]
    graph = helper.make_graph(list(nodes), "hostile", [IMAGE], [MADE], initializer=list(tensors))
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def outside() -> Any:
    """A weight that is kept in a file above the model's folder."""
    tensor = numpy_helper.from_array(np.zeros((1,), np.float32), "secret")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../etc/passwd"), ("offset", "0"), ("length", "4")):
        tensor.external_data.add(key=key, value=value)
    return model(helper.make_node("Add", ["images", "secret"], ["made"]), tensors=(tensor,))


def beside() -> Any:
    """The same in a constant node, in the model's own folder."""
    tensor = numpy_helper.from_array(np.zeros((1,), np.float32), "value")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.data")
    return model(
        helper.make_node("Constant", [], ["secret"], value=tensor),
        helper.make_node("Add", ["images", "secret"], ["made"]),
    )


def boast() -> Any:
    """A weight that claims more numbers than the file has bytes."""
    tensor = TensorProto(name="large", data_type=TensorProto.FLOAT, dims=[1 << 20, 1 << 20])
    return model(helper.make_node("Add", ["images", "large"], ["made"]), tensors=(tensor,))


def filling() -> Any:
    """A tensor of a terabyte, made by its shape."""
    shape = numpy_helper.from_array(np.array([1 << 19, 1 << 19], np.int64), "shape")
    large = helper.make_node("ConstantOfShape", ["shape"], ["large"])
    return model(large, helper.make_node("Add", ["images", "large"], ["made"]), tensors=(shape,))


def strange() -> Any:
    """An operator of nobody's."""
    return model(helper.make_node("Shell", ["images"], ["made"], domain="com.evil"), domain="com.evil")


def unknown() -> Any:
    """An operator of the standard domain that there is not."""
    return model(helper.make_node("NoSuchThing", ["images"], ["made"]))


def endless() -> Any:
    """A loop of 2**62 rounds."""
    on, on_out = (helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("on", "on_out"))
    x, x_out = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "x_out"))
    number = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in ("on", "x")]
    body = helper.make_graph(nodes, "body", [number, on, x], [on_out, x_out])
    rounds = numpy_helper.from_array(np.array(1 << 62, np.int64), "rounds")
    return model(helper.make_node("Loop", ["rounds", "", "images"], ["made"], body=body), tensors=(rounds,))


def no_image() -> Any:
    """One number of a whole picture."""
    return model(helper.make_node("GlobalAveragePool", ["images"], ["made"]))


def function_of(*nodes: Any) -> Any:
    """A model whose nodes are those of a function of torch's domain."""
    domain = "pkg.onnxscript.torch_lib"
    made = model(helper.make_node("inner", ["images"], ["made"], domain=domain), domain=domain)
    made.functions.append(
        helper.make_function(domain, "inner", ["images"], ["made"], list(nodes), [helper.make_opsetid("", 20)])
    )
    return made


def within() -> Any:
    """What `beside` is, hidden in a function."""
    return function_of(*beside().graph.node)


def branching() -> Any:
    """An operator of nobody's, in a branch within a function."""
    branch = helper.make_graph([helper.make_node("Shell", [], ["b"], domain="com.evil")], "branch", [], [MADE])
    return function_of(helper.make_node("If", ["images"], ["made"], then_branch=branch, else_branch=branch))


def lying() -> Any:
    """A shape of two numbers that holds half of one."""
    shape = TensorProto(name="shape", data_type=TensorProto.INT64, dims=[2], raw_data=b"1234")
    return model(helper.make_node("ConstantOfShape", ["shape"], ["made"]), tensors=(shape,))


def of_no_type() -> Any:
    """A weight of a type that there is not."""
    tensor = TensorProto(name="odd", data_type=99, dims=[1], raw_data=b"1234")
    return model(helper.make_node("Add", ["images", "odd"], ["made"]), tensors=(tensor,))


def thin() -> Any:
    """A sparse constant."""
    values, places = (numpy_helper.from_array(np.array([1], kind)) for kind in (np.float32, np.int64))
    sparse = helper.make_sparse_tensor(values, places, [1 << 40])
    return model(helper.make_node("Constant", [], ["made"], sparse_value=sparse))


def filling_by_a_list() -> Any:
    """What `filling` is, its shape written as a list."""
    shape = helper.make_node("Constant", [], ["shape"], value_ints=[1 << 19, 1 << 19])
    large = helper.make_node("ConstantOfShape", ["shape"], ["large"])
    return model(shape, large, helper.make_node("Add", ["images", "large"], ["made"]))


HOSTILE = {
    within: "keeps 'value' in 'weights.data'",
    branching: "asks for 'com.evil.Shell', which is no standard operator",
    lying: "'shape' does not hold the numbers that it claims",
    of_no_type: "'odd' does not hold the numbers that it claims",
    thin: "has sparse tensors",
    filling_by_a_list: "its ConstantOfShape makes a tensor of more than",
    outside: "keeps 'secret' in '../../etc/passwd'; only files that hold their weights are read",
    beside: "keeps 'value' in 'weights.data'",
    boast: "'large' claims 1,099,511,627,776 numbers",
    filling: "its ConstantOfShape makes a tensor of more than",
    strange: "asks for 'com.evil.Shell', which is no standard operator",
    unknown: "onnxruntime cannot load it",
    endless: "did not open it within 8 seconds",
    no_image: "which is no image of it",
}


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_a_hostile_onnx_file_is_refused_in_one_line(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if make is endless:
        monkeypatch.setattr(trial, "SECONDS", 8)
    write_image(tmp_path / "in.png", np.zeros((16, 16, 3), np.uint8))
    (tmp_path / "x.onnx").write_bytes(make().SerializeToString())
    arguments = [tmp_path / "in.png", "-o", tmp_path / "out", "--weights", tmp_path / "x.onnx"]
    assert HOSTILE[make] in refused(capsys, "infer", *arguments)


def test_constants_may_be_written_in_every_way_of_onnx(tmp_path: Path) -> None:
    from toolbox_plugins.onnx.safety import refuse_hostile

    scales = helper.make_node("Constant", [], ["scales"], value_floats=[1.0, 1.0, 2.0, 2.0])
    twice = model(scales, helper.make_node("Resize", ["images", "", "scales"], ["made"]))
    (tmp_path / "x.onnx").write_bytes(twice.SerializeToString())
    refuse_hostile(tmp_path / "x.onnx")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one network in both formats, as the toolbox writes them."""
    folder = tmp_path_factory.mktemp("good")
    export_graph(exported.generator("SPAN"), "onnx", folder / "x.onnx")
    export_graph(exported.generator("SPAN"), "openvino", folder / "x.xml")
    return folder


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "bits"])
def test_a_damaged_onnx_file_is_refused_in_one_line(
    damage: str, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "in.png", np.zeros((16, 16, 3), np.uint8))
    whole = (good / "x.onnx").read_bytes()
    broken = {"cut": whole[: len(whole) // 2], "text": b"no network", "empty": b"", "bits": b"\xff" * 64 + whole[64:]}
    (tmp_path / "x.onnx").write_bytes(broken[damage])
    said = refused(capsys, "infer", tmp_path / "in.png", "-o", tmp_path / "out", "--weights", tmp_path / "x.onnx")
    assert "x.onnx: " in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<net ", "<!DOCTYPE net [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><net ", "holds XML entities"),
        ('version="opset1"', 'version="extension"', "asks for layers of 'extension'"),
        ('size="', 'size="9999999', "lies beyond the end of x.bin"),
        ("<net ", "<nett ", "is no network of OpenVINO's"),
    ],
)
def test_a_hostile_openvino_file_is_refused_in_one_line(
    old: str, new: str, said: str, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "in.png", np.zeros((16, 16, 3), np.uint8))
    (tmp_path / "x.bin").write_bytes((good / "x.bin").read_bytes())
    text = (good / "x.xml").read_text()
    assert old in text
    (tmp_path / "x.xml").write_text(text.replace(old, new, 1))
    arguments = [tmp_path / "in.png", "-o", tmp_path / "out", "--weights", tmp_path / "x.xml"]
    assert said in refused(capsys, "infer", *arguments)


def test_what_a_file_says_of_itself_is_not_believed(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "in.png", np.zeros((16, 16, 3), np.uint8))
    arguments = [tmp_path / "in.png", "-o", tmp_path / "out", "--weights", tmp_path / "x.onnx"]
    for old, new, said in (
        ('"scale": 4', '"scale": 4000', "says scale is 4000"),
        ('"scale": 4', '"scale": "four"', "cannot be understood"),
        ('"multiple": 1,', '"multiple": 0,', "says multiple is 0"),
        ('"conditions": []', '"conditions": [{"name": "__class__"}]', "something of a condition"),
    ):
        found = onnx.load(str(good / "x.onnx"))
        for each in found.metadata_props:
            if each.key == "gan_toolbox":
                assert old in each.value
                each.value = each.value.replace(old, new, 1)
        (tmp_path / "y.onnx").write_bytes(found.SerializeToString())
        arguments[-1] = tmp_path / "y.onnx"
        assert said in refused(capsys, "infer", *arguments)

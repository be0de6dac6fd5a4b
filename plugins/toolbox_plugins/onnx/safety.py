"""What an ONNX file may hold: everything inside itself, standard operators, and tensors of a sane size."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from toolbox import UserError
from toolbox.io.files import refuse_special

LARGEST_FILE = 2**31
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "pkg.onnxscript.torch_lib", "pkg.onnxscript.torch_lib.common")
"""Of operators and of the functions that torch writes beside them; others are a program of their own."""
LARGEST = 2**28
"""Numbers of a constant tensor, stored or made while it loads: 1 GB in float32."""
MOST_NODES = 200_000
FEW = 16
"""Numbers of a constant that may be a shape."""


def refuse_hostile(file: Path) -> None:
    """Raise UserError for a file that is damaged, names other files, or would fill memory as it is loaded.

    It is read by protobuf alone; onnxruntime sees it only afterwards.
    """
    refuse_special(file)
    size = file.stat().st_size
    if size > LARGEST_FILE:
        raise UserError(f"{file}: has {size:,} bytes; ONNX files have 2 GB at most")
    import onnx

    try:
        model = onnx.load_model(str(file), load_external_data=False)
    except Exception as error:  # protobuf's own
        raise UserError(f"{file}: is no ONNX file, or damaged ({' '.join(str(error).split())[:100]})") from None
    if not model.graph.node:
        raise UserError(f"{file}: is no ONNX file of a network (it computes nothing)")
    for place in _graphs(model.graph):
        _refuse_graph(file, place, size, set())
    own = {function.domain for function in model.functions}
    for place in (place for function in model.functions for place in _graphs(function)):
        _refuse_graph(file, place, size, own)


def _refuse_graph(file: Path, graph: Any, size: int, own: set[str]) -> None:
    """A graph, or a function, which has no tensors but those of its nodes."""
    if len(graph.node) > MOST_NODES:
        raise UserError(f"{file}: has {len(graph.node):,} nodes; {MOST_NODES:,} is the most")
    stored: list[Any] = list(getattr(graph, "initializer", ()))
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    sparse = any(each.HasField("sparse_tensor") or each.sparse_tensors for each in attributes)
    if sparse or getattr(graph, "sparse_initializer", ()):
        raise UserError(f"{file}: has sparse tensors, which exporters of networks do not write")
    within = [tensor for each in attributes for tensor in ([each.t] if each.HasField("t") else each.tensors)]
    for tensor in (*stored, *within):
        _refuse_tensor(file, tensor, size)
    for node in graph.node:
        _refuse_node(file, node, own)
    few = [tensor for tensor in stored if prod(tensor.dims) <= FEW]
    constants: dict[str, list[float]] = {tensor.name: _numbers(file, tensor) for tensor in few}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.output:
            constants[node.output[0]] = _of_constant(file, node.attribute[0])
    for node in graph.node:
        _refuse_making(file, node, constants)


def _of_constant(file: Path, attribute: Any) -> list[float]:
    """The numbers of a constant node, in whichever of ONNX's ways they are written, if there are few."""
    if attribute.HasField("t"):
        return _numbers(file, attribute.t) if prod(attribute.t.dims) <= FEW else []
    found = {"value_int": [attribute.i], "value_float": [attribute.f], "value_ints": attribute.ints,
             "value_floats": attribute.floats}  # fmt: skip
    return [float(each) for each in found.get(attribute.name, [])[:FEW]]


def _numbers(file: Path, tensor: Any) -> list[float]:
    """The numbers of a tensor; none of text. Raises UserError where it does not hold what it claims."""
    from onnx import numpy_helper

    try:
        values = numpy_helper.to_array(tensor).ravel()
    except Exception as error:  # numpy's, protobuf's and onnx's own
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{file}: '{tensor.name}' does not hold the numbers that it claims ({reason})") from None
    return [float(each) for each in values] if values.dtype.kind in "iuf" else []


def _refuse_tensor(file: Path, tensor: Any, size: int) -> None:
    import onnx

    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        where = next((each.value for each in tensor.external_data if each.key == "location"), "another file")
        raise UserError(f"{file}: keeps '{tensor.name}' in {where[:80]!r}; only files that hold their weights are read")
    numbers = prod(tensor.dims)
    if any(side < 0 for side in tensor.dims) or numbers > LARGEST or numbers > 8 * size:
        raise UserError(f"{file}: '{tensor.name}' claims {numbers:,} numbers, which the file cannot hold")


def _refuse_node(file: Path, node: Any, own: set[str]) -> None:
    if node.domain not in DOMAINS and node.domain not in own:
        raise UserError(f"{file}: asks for '{node.domain}.{node.op_type}', which is no standard operator of ONNX")


def _refuse_making(file: Path, node: Any, constants: dict[str, list[float]]) -> None:
    """Tensors that a constant shape asks for: a runtime makes them while it loads the file."""
    if node.op_type not in ("ConstantOfShape", "Expand", "Tile", "Resize", "Range", "Pad", "Upsample", "RandomNormal"):
        return
    for values in (constants.get(name, []) for name in node.input):
        if 0 < len(values) <= FEW and abs(prod(values)) > LARGEST:
            raise UserError(f"{file}: its {node.op_type} makes a tensor of more than {LARGEST:,} numbers; refused")


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph and those within its branches and loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(inner)

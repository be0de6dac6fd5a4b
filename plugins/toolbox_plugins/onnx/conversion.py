"""Graphs as ONNX models in memory, without a trace of where and by whom they were made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toolbox import Graph, UserError
from toolbox.contracts.graph import quiet
from toolbox.io.files import whole

OPSET = 20
SMALL = 16
"""Numbers of a constant that stays float32 beside halved ones: epsilons, sizes, scales."""
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def write_onnx(graph: Graph, target: Path, *, half: bool = False) -> None:
    """Write a graph in one file, weights included."""
    model = onnx_model(graph)
    if half:
        halve(model)
    try:
        content = model.SerializeToString()
    except ValueError:  # protobuf's own limit
        raise UserError("the network is larger than the 2 GB that an ONNX file holds; try --half") from None
    with whole(target) as file:
        file.write(content)


def kept_onnx(graph: Graph, folder: Path) -> Path:
    """The file of a graph in a folder, which is made unless an earlier run left it there."""
    file = folder / f"opset{OPSET}.onnx"
    if not file.is_file():
        write_onnx(graph, file)
    return file


def onnx_model(graph: Graph) -> Any:
    """An `onnx.ModelProto` of a graph, with its metadata.

    Raises:
        UserError: the network does something that ONNX has no word for.
    """
    import onnx
    import torch

    program = graph.program()
    with quiet():
        try:
            made = torch.onnx.export(
                program, dynamo=True, verbose=False, external_data=False, opset_version=OPSET,
                input_names=[each.name for each in graph.inputs], output_names=[graph.output],
            )  # fmt: skip
        except Exception as error:  # torch.onnx raises nearly anything
            raise UserError(_reason(error)) from error
    assert made is not None
    model = made.model_proto
    _forget_the_maker(model)
    onnx.helper.set_model_props(model, dict(graph.metadata))
    return model


def halve(model: Any) -> None:
    """Store weights as float16, and cast them to float32 where they are used, which a runtime does as it loads."""
    import onnx
    from onnx import numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or int(np.prod(tensor.dims)) < SMALL:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
            raise UserError(f"--half: {name} has numbers above 65,504, which float16 cannot hold; leave it out")
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _forget_the_maker(model: Any) -> None:
    """Leave out the stack traces that torch writes beside every node: paths of this machine, half of a small file."""
    model.producer_name, model.producer_version, model.doc_string = "gan-toolbox", "", ""
    for part in (model.graph, *model.functions):
        for each in (part, *part.node, *part.value_info):
            each.doc_string = ""
            del each.metadata_props[:]
    for each in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        each.doc_string = ""
        del each.metadata_props[:]


def _reason(error: BaseException) -> str:
    """The innermost cause, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return f"ONNX cannot hold it: {said.strip()[:160]}"

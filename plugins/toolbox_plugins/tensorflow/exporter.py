"""Graphs as `.tflite`, by Google's own converter from PyTorch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolbox import Exporter, Graph, Session, UserError
from toolbox.contracts.graph import quiet
from toolbox.io.files import whole
from toolbox_plugins.executorch.folding import cut, folded

TABLE = {torch.ops.aten.conv_transpose2d.input: cut}
"""TensorFlow's transposed convolutions know no padding but the whole and none."""
IDENTIFIER = b"TFL3"


class TensorFlow(Exporter):
    """TensorFlow Lite's flat file, of one size and one image; verified in LiteRT, its runtime, on the CPU.

    Images are (1, C, H, W) and transposed within: TensorFlow computes (1, H, W, C). Metadata are in the file, each a
    text under its key. Inputs are called as the graph's, by the signature `serving_default`.
    """

    suffix = ".tflite"
    packages = ("litert_torch", "ai_edge_litert")
    extra = "tensorflow"
    any_size = False
    any_batch = False

    def write(self, graph: Graph, target: Path, *, half: bool = False) -> None:
        """Write the graph in one file, weights included."""
        module = folded(graph, TABLE)
        with _silent(), torch.no_grad():
            try:
                converter: Any = import_module("litert_torch")
                content = converter.convert(module, graph.examples).model_content()
            except Exception as error:  # it raises nearly anything
                raise UserError(f"TensorFlow Lite cannot hold it ({_reason(error)})") from error
        with whole(target) as file:
            file.write(_described(content, graph))

    def open(self, file: Path) -> Session:
        """By LiteRT, with as many threads as torch."""
        return _Session(file)


class _Session:
    def __init__(self, file: Path) -> None:
        runtime: Any = import_module("ai_edge_litert.interpreter")
        try:
            made = runtime.Interpreter(model_path=str(file), num_threads=torch.get_num_threads())
            made.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{file}: LiteRT cannot load it ({_reason(error)})") from None
        self.interpreter = made
        self.inputs = {each["name"]: each["index"] for each in made.get_input_details()}
        self.output = made.get_output_details()[0]["index"]
        self.names: Sequence[str] = list(self.inputs)
        self.metadata: Mapping[str, str] = _metadata(file.read_bytes())

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        try:
            for index, each in zip(self.inputs.values(), tensors, strict=True):
                self.interpreter.set_tensor(index, each.detach().numpy())
            self.interpreter.invoke()
            return torch.from_numpy(self.interpreter.get_tensor(self.output).copy())
        except (RuntimeError, ValueError) as error:
            raise UserError(f"LiteRT cannot compute it ({_reason(error)})") from None


def _described(content: bytes, graph: Graph) -> bytes:
    """The file with the graph's names and metadata, and without the names of layers and where each came from."""
    schema: Any = import_module("ai_edge_litert.schema_py_generated")
    flatbuffers: Any = import_module("flatbuffers")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    model.description = "gan-toolbox"
    tensors, (signature,) = model.subgraphs[0].tensors, model.signatureDefs
    for tensor in tensors:
        tensor.name = ""
    names = [each.name for each in graph.inputs]
    for place, name in [*zip(signature.inputs, names, strict=True), (signature.outputs[0], graph.output)]:
        place.name = tensors[place.tensorIndex].name = name
    for key, value in graph.metadata.items():
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = list(value.encode())
        entry.name, entry.buffer = key, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata.append(entry)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _metadata(content: bytes) -> dict[str, str]:
    schema: Any = import_module("ai_edge_litert.schema_py_generated")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    found = {}
    for each in model.metadata or ():
        data = model.buffers[each.buffer].data
        if data is not None:
            found[each.name.decode()] = bytes(data).rstrip(b"\0").decode(errors="replace")
    return found


def _reason(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return said.partition("error: ")[2][:160] or said[:160] or type(error).__name__


@contextmanager
def _silent() -> Iterator[None]:
    """Within, the converter does not tell its steps."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere), quiet():
        yield

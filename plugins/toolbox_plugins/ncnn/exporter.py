"""Graphs as ncnn's two files, by pnnx; both programs run beside this one, which their crashes leave alone."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolbox import Exporter, Graph, Session, UserError
from toolbox.contracts.graph import quiet
from toolbox.io.files import whole
from toolbox_plugins.executorch.folding import folded

INPUT, OUTPUT = "data", "output"
"""What Real-ESRGAN's published models call them, and so the programs that compute such files."""
GIVEN = {"in0": INPUT, "out0": OUTPUT}
"""What pnnx calls them."""
LIMIT = 600
"""Seconds for a program."""
LONGER = (16, 24)
"""Rows and columns of a second example; what differs between both is free."""


def _lerp(first: Tensor, second: Tensor, weight: Any) -> Tensor:
    return first + (second - first) * weight


def _addcmul(images: Tensor, first: Tensor, second: Tensor, *, value: Any = 1) -> Tensor:
    return images + (first * second if value == 1 else first * second * value)


def _clamp_min(images: Tensor, least: Any) -> Tensor:
    return torch.clamp(images, least, torch.finfo(torch.float32).max)


def _var_mean(
    images: Tensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """Variance and mean, by means alone."""
    dims = tuple(range(images.dim())) if dim is None else tuple(dim)
    count = math.prod(images.shape[axis] for axis in dims)
    unbiased = count / (count - (1 if correction is None else correction))
    centred = images - images.mean(dims, keepdim=True)
    return (centred * centred).mean(dims, keepdim=keepdim) * unbiased, images.mean(dims, keepdim=keepdim)


def _var_mean_dim(images: Tensor, dim: Any, unbiased: bool = True, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    return _var_mean(images, dim, correction=int(unbiased), keepdim=keepdim)


aten: Any = torch.ops.aten
TABLE = {
    aten.lerp.Tensor: _lerp,
    aten.lerp.Scalar: _lerp,
    aten.addcmul.default: _addcmul,
    aten.clamp_min.default: _clamp_min,
    aten.var_mean.correction: _var_mean,
    aten.var_mean.dim: _var_mean_dim,
}
"""What ncnn has no layer for, by what it has."""


class NCNN(Exporter):
    """ncnn's `.param` and `.bin`, of images alone; verified in ncnn on the CPU.

    Height and width are free where pnnx can tell how they pass through the network, and those of the examples
    elsewhere: networks whose sizes must be multiples, whose padding depends on them.
    """

    suffix = ".param"
    packages = ("pnnx", "ncnn")
    extra = "ncnn"
    any_batch = False
    halves = True

    def write(self, graph: Graph, target: Path, *, half: bool = False) -> None:
        """Write both files; ncnn has no room for metadata."""
        _refuse(graph)
        try:
            _convert(graph, target, free=True, half=half)
            free = _computes(graph, self.open(target))
        except UserError:
            free = False
        self.any_size = free
        if not free:
            _convert(graph, target, free=False, half=half)

    def open(self, file: Path) -> Session:
        """By ncnn, in a process of its own, in float32 and by one thread."""
        return _Session(file)

    def files(self, file: Path) -> list[Path]:
        """The `.param` and its `.bin`."""
        return [file, file.with_suffix(".bin")]


class _Session:
    names: Sequence[str] = ("images",)
    metadata: Mapping[str, str] = {}

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        (images,) = tensors
        with TemporaryDirectory() as folder:
            given, made = Path(folder) / "given.npy", Path(folder) / "made.npy"
            np.save(given, images[0].numpy())
            program = Path(__file__).with_name("computing.py")
            _run("ncnn", [sys.executable, str(program), str(self.file), str(given), str(made), INPUT, OUTPUT])
            return torch.from_numpy(np.load(made))[None]


def _refuse(graph: Graph) -> None:
    if more := [each.name for each in graph.inputs[1:]]:
        raise UserError(f"ncnn files take images alone; choose a value for: {', '.join(more)}")
    if graph.inputs[0].example.dtype != torch.float32:
        raise UserError("ncnn files take images in [0, 1] alone; leave --layout out")


def _convert(graph: Graph, target: Path, *, free: bool, half: bool) -> None:
    example = graph.inputs[0].example[:1]
    with TemporaryDirectory() as folder:
        traced = Path(folder) / "graph.pt"
        module = graph if free else folded(graph, TABLE, slices=True)
        with quiet(), torch.no_grad():
            try:
                made: Any = torch.jit.trace(module, (example,), check_trace=False)
                made.save(str(traced))
            except Exception as error:  # it raises nearly anything
                raise UserError(f"torch cannot trace it ({_one_line(str(error))})") from error
        batch, channels, height, width = example.shape
        shapes = [f"inputshape=[{batch},{channels},{height},{width}]f32"]
        if free:
            shapes.append(f"inputshape2=[{batch},{channels},{height + LONGER[0]},{width + LONGER[1]}]f32")
        pnnx: Any = import_module("pnnx")
        _run("pnnx", [pnnx.EXEC_PATH, str(traced), *shapes, f"fp16={int(half)}"], folder)
        _move(Path(folder), target)


def _move(folder: Path, target: Path) -> None:
    """Take over the files that pnnx made, with the names of inputs and outputs that programs look for."""
    param, weights = folder / "graph.ncnn.param", folder / "graph.ncnn.bin"
    if not (param.is_file() and weights.is_file()):
        raise UserError("pnnx made no files of it")
    lines = param.read_text(encoding="utf-8").splitlines()
    if absent := sorted({line.split()[0] for line in lines[2:] if {".", ":"} & set(line.split()[0])}):
        raise UserError(f"ncnn has no layer for {', '.join(absent)[:160]}")
    for number, line in enumerate(lines[2:], 2):
        lines[number] = " ".join(GIVEN.get(word, word) for word in line.split())
    with whole(target.with_suffix(".bin")) as file:
        file.write(weights.read_bytes())
    with whole(target) as file:
        file.write(("\n".join(lines) + "\n").encode())


def _computes(graph: Graph, session: Session) -> bool:
    """Whether a file computes images of another size in the size that is wanted, and about what is wanted."""
    height, width = graph.inputs[0].example.shape[2:]
    images = graph.inputs[0].drawn(1, (height // 2 + 5, width + 9), torch.Generator().manual_seed(0))
    wanted = graph(images)
    given = session([images])
    return given.shape == wanted.shape and bool((given - wanted).abs().max() < NCNN.half_tolerance)


def _run(name: str, command: list[str], folder: str | None = None) -> None:
    """Run a program; what it says is told where it fails."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{name} was not done after {LIMIT} seconds") from None
    except OSError as error:
        raise UserError(f"{name} does not run here ({error.strerror or error})") from None
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        how = f"crashed, signal {-done.returncode}" if done.returncode < 0 else "failed"
        raise UserError(f"{name} {how}{f' ({_one_line(said[-1])})' if said else ''}")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:160]

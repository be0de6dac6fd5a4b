"""Reads ncnn's models: the graph in a `.param` file, and the weights in the `.bin` beside it.

Layout of the weights, in the order of the layers: a convolution has a tag of four bytes, its weights (`0x01306B47`:
float16, padded to 4 bytes; 0 or `0x0002C056`: float32) and its biases (float32); a PReLU has its slopes and a constant
its values (float32).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from toolbox.contracts.ncnn_graph import NcnnGraph
from toolbox.io.errors import UserError
from toolbox.io.files import open_regular

MAGIC = "7767517"
HALF, SINGLE = 0x01306B47, (0, 0x0002C056)
LARGEST_PARAM, LARGEST_BIN = 8 << 20, 4 << 30
MOST_LAYERS, MOST_BLOBS_OF_A_LAYER, MOST_CHANNELS = 50_000, 1_000, 65_536
SOURCES = ("Input", "MemoryData")
Value = tuple[int, float, int]
"""A blob while the graph is read: its node, a factor not yet applied, and its channels."""


def read_ncnn(path: Path) -> NcnnGraph:
    """Read a model from either of its two files, which lie side by side under one name.

    Raises:
        UserError: one is missing, damaged, or has a layer or a setting that no network here needs.
    """
    graph_file, weights_file = path.with_suffix(".param"), path.with_suffix(".bin")
    for file in (graph_file, weights_file):
        if not file.is_file():
            raise UserError(f"{file}: is missing; an ncnn model is a .param and a .bin file of one name")
    try:
        text = _read(graph_file, LARGEST_PARAM).decode("ascii")
        content = _read(weights_file, LARGEST_BIN)
    except UnicodeDecodeError:
        raise UserError(f"{graph_file}: is no ncnn graph in text form") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    return _Reader(text, content, graph_file, weights_file).read()


def _read(path: Path, most: int) -> bytes:
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UserError(f"{path}: is larger than {most >> 20} MiB, which no such file is")
    return content


class _Reader:
    """One pass over the layers, in the order of execution, with the weights read alongside."""

    def __init__(self, text: str, content: bytes, graph_file: Path, weights_file: Path) -> None:
        self.lines, self.content, self.at = text.splitlines(), content, 0
        self.graph_file, self.weights_file = graph_file, weights_file
        self.place = f"{graph_file}"
        self.graph = NcnnGraph()
        self.blobs: dict[str, Value] = {}

    def read(self) -> NcnnGraph:
        if len(self.lines) < 3 or self.lines[0].strip() != MAGIC:
            raise UserError(f"{self.graph_file}: is no ncnn graph (it must begin with {MAGIC})")
        declared = self.lines[1].split()
        layers = [line.split() for line in self.lines[2:] if line.strip()]
        if len(declared) != 2 or not declared[0].isdecimal() or declared[0] != str(len(layers)):
            raise UserError(f"{self.graph_file}: declares {declared[0][:12] if declared else 0} layers "
                            f"and has {len(layers)}; it is cut off or damaged")  # fmt: skip
        if len(layers) > MOST_LAYERS:
            raise UserError(f"{self.graph_file}: has {len(layers)} layers, more than any network that can be imported")
        outputs: list[str] = []
        for number, words in enumerate(layers, start=3):
            self.place = f"{self.graph_file}:{number}"
            outputs = self._layer(words)
        if self.at != len(self.content):
            raise UserError(f"{self.weights_file}: has {len(self.content) - self.at} bytes more than the graph needs")
        if len(outputs) != 1:
            raise UserError(f"{self.graph_file}: its last layer has {len(outputs)} outputs instead of one")
        self.graph.output = self._plain([self.blobs[outputs[0]]])[0]
        return self.graph

    def _layer(self, words: list[str]) -> list[str]:
        if len(words) < 4 or not (words[2].isdecimal() and words[3].isdecimal() and len(words[2] + words[3]) < 9):
            raise self._error("is no layer (type, name, numbers of inputs and outputs, their names, settings)")
        kind, ins, outs = words[0], int(words[2]), int(words[3])
        if ins + outs > MOST_BLOBS_OF_A_LAYER or len(words) < 4 + ins + outs:
            raise self._error(f"has fewer names than its {ins} inputs and {outs} outputs")
        inputs, outputs, settings = words[4 : 4 + ins], words[4 + ins : 4 + ins + outs], words[4 + ins + outs :]
        for name in inputs:
            if name not in self.blobs:
                raise self._error(f"reads '{name[:40]}', which no layer before it writes")
        for name in outputs:
            if name in self.blobs:
                raise self._error(f"writes '{name[:40]}' a second time")
        self.graph.types[kind] += kind != "Split"
        values = [self.blobs[name] for name in inputs]
        operation = _OPERATIONS.get(kind)
        if operation is None:
            raise self._error(f"is a {kind[:40]}; only {', '.join(_OPERATIONS)} can be imported")
        if (kind != "Split" and outs != 1) or (kind not in SOURCES and not values):
            raise self._error(f"is a {kind} of {ins} inputs and {outs} outputs")
        value = operation(self, values, self._settings(settings))
        for name in outputs:
            self.blobs[name] = value
        return outputs

    def _settings(self, words: list[str]) -> dict[int, list[float]]:
        """`0=64 1=3` and arrays `-23310=1,0.2` as {id: numbers}."""
        found = {}
        for word in words:
            name, _, text = word.partition("=")
            try:
                key, numbers = int(name[:8]), [float(part) for part in text.split(",")[:64]]
            except ValueError:
                raise self._error(f"has the setting '{word[:40]}', which is no number=value") from None
            if not all(math.isfinite(number) for number in numbers):
                raise self._error(f"has the setting '{word[:40]}', which is not finite")
            if key <= -23300:
                key, numbers = -23300 - key, numbers[1:]
            found[key] = numbers
        return found

    def _int(self, settings: dict[int, list[float]], key: int, default: int = 0) -> int:
        numbers = settings.get(key, [default])
        if len(numbers) != 1 or numbers[0] != int(numbers[0]):
            raise self._error(f"has a setting {key} that is no whole number")
        return int(numbers[0])

    def _require(self, settings: dict[int, list[float]], kind: str, allowed: dict[int, Iterable[float]]) -> None:
        for key, values in allowed.items():
            if key in settings and (len(settings[key]) != 1 or settings[key][0] not in values):
                raise self._error(f"is a {kind} with {key}={settings[key]}, which cannot be imported")

    def _plain(self, values: list[Value]) -> list[int]:
        """Nodes of values that no factor is waiting for."""
        if any(factor != 1.0 for _, factor, _ in values):
            raise self._error("uses a multiplied blob other than in a sum, which cannot be imported")
        return [node for node, _, _ in values]

    def input(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        if "Input" in self.graph.types and self.graph.types["Input"] > 1:
            raise self._error("is a second input; networks with one can be imported")
        return self.graph.input, 1.0, 3

    def split(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        return values[0]

    def convolution(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        node, factor, channels = values[0]
        if factor != 1.0:
            node = self.graph.node("times", factor, node)
        out, kernel = self._int(settings, 0), self._int(settings, 1)
        padding = {kernel // 2}
        self._require(settings, "Convolution", {
            1: {1, 3, 5, 7, 9}, 2: {1}, 3: {1}, 4: padding, 5: {1}, 8: {0}, 11: {kernel}, 12: {1}, 13: {1},
            14: padding, 15: padding, 16: padding, 18: {0}, 19: {0},
        })  # fmt: skip
        if len(values) != 1 or not 1 <= out <= MOST_CHANNELS or not settings.keys() >= {0, 1, 5, 6}:
            raise self._error("is a Convolution without width, kernel, bias or number of weights")
        if kernel > 1 and 4 not in settings:
            raise self._error("is a Convolution without padding, which cannot be imported")
        number = out * channels * kernel**2
        if self._int(settings, 6) != number:
            raise self._error(f"has {self._int(settings, 6)} weights where {channels} to {out} channels need {number}")
        weight = self._weights(number).reshape(out, channels, kernel, kernel)
        self.graph.convolutions.append((weight, self._floats(out)))
        node = self.graph.node("conv", len(self.graph.convolutions) - 1, node)
        activation, arguments = self._int(settings, 9), settings.get(10, [])
        if activation not in (0, 1, 2) or (activation == 2 and len(arguments) != 1):
            raise self._error(f"is a Convolution with the activation {activation}, which cannot be imported")
        if activation:
            node = self.graph.node("leaky", arguments[0] if activation == 2 else 0.0, node)
        return node, 1.0, out

    def relu(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        return self.graph.node("leaky", settings.get(0, [0.0])[0], *self._plain(values[:1])), 1.0, values[0][2]

    def prelu(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        channels = values[0][2]
        if self._int(settings, 0) != channels:
            raise self._error(f"has {self._int(settings, 0)} slopes for {channels} channels")
        self.graph.slopes.append(self._floats(channels))
        return self.graph.node("prelu", len(self.graph.slopes) - 1, *self._plain(values[:1])), 1.0, channels

    def concat(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        self._require(settings, "Concat", {0: {0}})
        channels = sum(value[2] for value in values)
        if channels > MOST_CHANNELS:
            raise self._error(f"makes {channels} channels, more than any network that can be imported")
        return self.graph.concat(self._plain(values)), 1.0, channels

    def eltwise(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        self._require(settings, "Eltwise", {0: {1}})
        factors = settings.get(1, [1.0] * len(values))
        if 0 not in settings or len(factors) != len(values):
            raise self._error("is an Eltwise other than a sum of its inputs, which cannot be imported")
        return self._sum([(node, own * factor, c) for (node, own, c), factor in zip(values, factors, strict=True)])

    def binary(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        self._require(settings, "BinaryOp", {0: {0, 1, 2}, 1: {0, 1}})
        operation, by_number = self._int(settings, 0), self._int(settings, 1) == 1
        if by_number and len(values) == 1 and 2 in settings and operation != 0:
            node, factor, channels = values[0]
            number = settings[2][0]
            if operation == 2:
                return node, factor * number, channels
            return self.graph.node("minus", number, *self._plain(values)), 1.0, channels
        if by_number or len(values) != 2:
            raise self._error("is a BinaryOp other than of two blobs, or one minus or times a number")
        if operation == 2:
            return self.graph.product(*self._plain(values)), 1.0, self._channels(values)
        left, (node, factor, channels) = values
        return self._sum([left, (node, -factor if operation else factor, channels)])

    def _sum(self, values: list[Value]) -> Value:
        return self.graph.add(*((node, factor) for node, factor, _ in values)), 1.0, self._channels(values)

    def _channels(self, values: list[Value]) -> int:
        """How many channels alike blobs have."""
        if len({channels for _, _, channels in values}) != 1 or len(values) < 2:
            raise self._error("adds or multiplies blobs of different numbers of channels")
        return values[0][2]

    def swish(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        return self.graph.node("swish", 0, *self._plain(values[:1])), 1.0, values[0][2]

    def sigmoid(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        return self.graph.node("sigmoid", 0, *self._plain(values[:1])), 1.0, values[0][2]

    def constant(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        self._require(settings, "MemoryData", {0: {1}, 1: {1}, 11: {0, 1}, 21: {0, 1}})
        channels = self._int(settings, 2)
        if not {0, 1, 2} <= settings.keys() or not 1 <= channels <= MOST_CHANNELS:
            raise self._error("is a constant other than a number for each channel, which cannot be imported")
        self.graph.constants.append(self._floats(channels))
        return self.graph.node("constant", len(self.graph.constants) - 1), 1.0, channels

    def interp(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        name = {1: "nearest", 2: "bilinear", 3: "bicubic"}.get(self._int(settings, 0))
        factors = [settings.get(key, [0.0])[0] for key in (1, 2)]
        if name is None or factors[0] != factors[1] or factors[0] <= 0 or len(values) != 1:
            raise self._error("is an Interp of an unknown kind, or by different factors")
        return self.graph.node(name, factors[0], *self._plain(values)), 1.0, values[0][2]

    def shuffle(self, values: list[Value], settings: dict[int, list[float]]) -> Value:
        factor, channels = self._int(settings, 0), values[0][2]
        self._require(settings, "PixelShuffle", {1: {0}})
        if not 1 <= factor <= 16 or channels % factor**2:
            raise self._error(f"shuffles {channels} channels by {factor}")
        return self.graph.node("shuffle", factor, *self._plain(values[:1])), 1.0, channels // factor**2

    def _weights(self, number: int) -> Tensor:
        (tag,) = struct.unpack("<I", self._take(4))
        if tag in SINGLE:
            return self._floats(number)
        if tag != HALF:
            raise UserError(f"{self.weights_file}: holds weights of the kind {tag:#010x} at byte {self.at - 4}; "
                            "float16 and float32 can be imported, or the file is damaged")  # fmt: skip
        content = self._take((number * 2 + 3) // 4 * 4)
        return self._finite(np.frombuffer(content, "<f2", number).astype(np.float32))

    def _floats(self, number: int) -> Tensor:
        return self._finite(np.frombuffer(self._take(number * 4), "<f4", number).astype(np.float32))

    def _finite(self, values: np.ndarray) -> Tensor:
        if not np.isfinite(values).all():
            raise UserError(f"{self.weights_file}: is damaged: not all numbers before byte {self.at} are finite")
        return torch.from_numpy(values)

    def _take(self, number: int) -> bytes:
        content = self.content[self.at : self.at + number]
        if len(content) != number:
            raise UserError(f"{self.weights_file}: has {len(self.content)} bytes, and {self.at + number} are needed")
        self.at += number
        return content

    def _error(self, message: str) -> UserError:
        return UserError(f"{self.place}: {message}")


_OPERATIONS = {
    "Input": _Reader.input, "Split": _Reader.split, "Convolution": _Reader.convolution, "ReLU": _Reader.relu,
    "PReLU": _Reader.prelu, "Concat": _Reader.concat, "Eltwise": _Reader.eltwise, "BinaryOp": _Reader.binary,
    "Interp": _Reader.interp, "PixelShuffle": _Reader.shuffle, "Swish": _Reader.swish, "Sigmoid": _Reader.sigmoid,
    "MemoryData": _Reader.constant,
}  # fmt: skip

"""Networks written as ncnn's converters write them: a `.param` with the graph, a `.bin` with half-precision weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

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

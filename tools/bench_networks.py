"""What each network of a grid costs in each runtime: parameters, multiply-accumulates and milliseconds of a call.

All networks and runtimes take turns, one call each on one thread, by the process's own time: what else the machine does
is not counted, and meets all alike. The least of the rounds is what a call takes when little comes between. Weights as
they begin: a call's time does not ask what was learnt. A runtime that is not installed, or cannot compute a network,
leaves its cell empty, and so does bfloat16 for a network that computes in float32 alone (`supports_half`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.assembly.build import build_generators
from toolbox.assembly.doctor import installed
from toolbox.benchmark.cells import Cell, cells_of
from toolbox.benchmark.grid import read_grid
from toolbox.contracts.graph import missing, smooth
from toolbox.engine.memory import keep_freed_memory
from toolbox.inference.sessions import Sessions
from toolbox.io.errors import UserError
from toolbox.io.files import replace_text
from toolbox.plugins.registry import registry
from toolbox.training.macs import count_macs
from toolbox.training.precision import networks_in

WAYS = (
    ("PyTorch fp32", "torch", "fp32"),
    ("PyTorch bf16", "torch", "bf16"),
    ("onnxruntime fp32", "onnxruntime", "fp32"),
    ("OpenVINO fp32", "openvino", "fp32"),
    ("OpenVINO bf16", "openvino", "bf16"),
)
"""Columns: their titles, the backend and the precision. PyTorch is eager, and in the layout of the grid's configs."""
Call = Callable[[], object]


def main(grid: str, size: int, rounds: int, out: Path | None) -> None:
    """Print the table of a grid's generators, and write it."""
    torch.set_num_threads(1)
    keep_freed_memory()  # as infer does; kernels are not bound as there, because many networks take turns
    image = smooth((1, 3, size, size), torch.Generator().manual_seed(0))
    compared = read_grid(grid)
    cells = [cell for cell in cells_of(compared) if cell.tests and not cell.refused]
    networks = {cell.id: network_of(cell) for cell in cells}
    calls = {(name, title): call for name, network in networks.items() for title, call in calls_of(network, image)}
    taken = in_turn(calls, rounds)
    titles = [title for title, _, _ in WAYS]
    head = ["", "parameters", f"GMACs at {size}²", *(f"{title}, ms" for title in titles)]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for name, network in networks.items():
        macs = count_macs(network, size=size)
        costs = [f"{sum(each.numel() for each in network.parameters()):,}", f"{(macs or 0) / 1e9:.2f}"]
        costs += [f"{1000 * taken[name, title]:.0f}" if (name, title) in taken else "" for title in titles]
        lines.append(f"| {' | '.join([name, *costs])} |")
    text = "\n".join(lines) + "\n"
    if out is not None:
        note = f"one image of {size} x {size}, one thread's own time, the least of {rounds} calls in turn"
        made = f"Made by `python tools/bench.py networks {grid}`: {note}; {versions()}."
        replace_text(out, f"# {compared.title}: costs\n\n{text}\n{made}\n")
    print(text)


def network_of(cell: Cell) -> nn.Module:
    """A cell's generator with the weights it begins with, in its config's layout."""
    torch.manual_seed(0)
    algorithm: Any = build_generators(cell.config["model"])
    return algorithm.generator.eval()


def calls_of(network: nn.Module, image: Tensor) -> list[tuple[str, Call]]:
    """By the column's title: the image through the network in each runtime that computes it."""
    found: list[tuple[str, Call]] = []
    for title, name, precision in WAYS:
        kind: Any = registry("backends").get(name)
        if precision == "bf16" and not getattr(network, "supports_half", True):
            continue
        if name == "torch":
            found.append((title, lambda precision=precision: by_torch(network, image, precision)))
        elif not missing(kind.packages, ""):
            sessions = Sessions(network, kind(), name, precision)
            found.append((title, lambda sessions=sessions: sessions(image)))
    return [(title, call) for title, call in found if computes(call)]


def by_torch(network: nn.Module, image: Tensor, precision: str) -> Tensor:
    """Eager PyTorch."""
    with networks_in(torch.bfloat16 if precision == "bf16" else None):
        return network(image)


def computes(call: Call) -> bool:
    """Whether it does; this call also loads and compiles what is needed."""
    try:
        with torch.inference_mode():
            call()
    except (UserError, RuntimeError, ValueError):
        return False
    return True


def in_turn(calls: Mapping[tuple[str, str], Call], rounds: int) -> dict[tuple[str, str], float]:
    """The least seconds of each call over rounds in which each is made once."""
    least = dict.fromkeys(calls, inf)
    with torch.inference_mode():
        for _ in range(rounds):
            for key, call in calls.items():
                start = time.process_time()
                call()
                least[key] = min(least[key], time.process_time() - start)
    return least


def versions() -> str:
    """Those of the runtimes that are installed."""
    return ", ".join(f"{name} {each}" for name, each in installed("torch", "onnxruntime", "openvino").items())

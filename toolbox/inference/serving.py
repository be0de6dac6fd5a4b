"""Who computes a network: PyTorch, or another runtime, chosen by name or by the time that a tile takes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from time import perf_counter
from typing import Any
from weakref import finalize

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from toolbox.assembly.graph import StateGraph
from toolbox.assembly.loading import TrainedOutput
from toolbox.contracts.backend import Backend, InPlace
from toolbox.contracts.graph import Session, asked, missing, smooth
from toolbox.inference.options import Options
from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry
from toolbox.training.precision import networks_in

AUTO = "auto"
WORTH = 30.0
"""Seconds of work left from which other runtimes are tried: making their graphs takes some."""
EXAMPLE = 64
"""Side of the images that a graph is traced with."""
FASTER = 0.9
"""Part of PyTorch's time that another runtime may take at most to be preferred."""
AGREE = {"fp32": 1.5 / 255, "bf16": 0.1}
"""By how much a runtime's tile may differ from PyTorch's; one that differs by more is not used."""


class Server:
    """A network's tiles, computed by the backend that the options name: `server(images) -> images`.

    `auto` begins with PyTorch. Once a tile's time tells that there is enough left to do, every installed backend that
    has the precision computes the same tile, and the fastest that agrees with PyTorch goes on.
    """

    def __init__(self, network: nn.Module, options: Options, device: torch.device, note: Callable[[str], None]) -> None:
        self.network, self.precision, self.device, self.note = network, options.precision, device, note
        name, _, option = options.backend.partition(":")
        self._compute: Callable[[Tensor], Tensor] = network
        self._undecided = False
        self._left = 0
        if getattr(network, "runtime", None):  # a file of another runtime, which is what computes it
            if name not in (AUTO, network.runtime):
                raise UserError(f"--backend {name}: this file is computed by {network.runtime}; leave it out")
        elif name == AUTO:
            self._undecided = device.type == "cpu" and not getattr(network, "clip", False)
        else:
            self._compute = self._named(name, option)

    def plan(self, numbers: int) -> None:
        """Tell how much is going to be asked for: numbers in all images together."""
        self._left = numbers

    def expect(self, numbers: int) -> None:
        """Tell the size of the images whose tiles come next."""
        self._left = max(self._left, numbers)

    def fix(self, name: str | None = None) -> str:
        """From here on the one of the name computes, or whoever does now. Returns its name."""
        here = str(getattr(self._compute, "name", "torch"))
        if name is not None and name != here:
            self._compute = self._named(name, "")
            here = name
        self._undecided = False
        return here

    def __call__(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), on the device, to (B, C', scale*H, scale*W)."""
        if not self._undecided:
            return self._compute(images)
        start = perf_counter()
        made = self.network(images)
        seconds = perf_counter() - start
        self._left -= images.numel()
        if seconds * self._left / images.numel() > WORTH:
            self._undecided = False
            self._choose(images, made)
        return made

    def _named(self, name: str, option: str) -> Callable[[Tensor], Tensor]:
        kind: Any = registry("backends").get(name)
        if lack := missing(kind.packages, kind.extra):
            raise UserError(f"--backend {name}: {lack}")
        if self.device.type not in kind.devices:
            raise UserError(f"--backend {name}: computes on {', '.join(kind.devices)}, not on {self.device.type}")
        if self.precision not in kind.precisions:
            known = ", ".join(kind.precisions)
            raise UserError(f"--backend {name}: computes in {known}, not in {self.precision}; choose --precision")
        backend: Backend | InPlace = kind()
        if isinstance(backend, InPlace):
            return backend.wrapped(self.network, option)
        if option:
            raise UserError(f"--backend {name}:{option}: {name} has no options")
        if getattr(self.network, "clip", False):
            raise UserError(f"--backend {name}: this network takes clips, which torch alone computes; leave it out")
        return Sessions(self.network, backend, name, self.precision)

    def _choose(self, images: Tensor, made: Tensor) -> None:
        """Let the installed backends compute a tile, and go on with the fastest."""
        here = _seconds(lambda: self.network(images))
        times: dict[str, float] = {}
        found: dict[str, Sessions] = {}
        for name in registry("backends").names():
            kind: Any = registry("backends").get(name)
            fits = self.precision in kind.precisions and self.device.type in kind.devices
            if issubclass(kind, InPlace) or not fits or missing(kind.packages, kind.extra):
                continue
            sessions = Sessions(self.network, kind(), name, self.precision)
            try:
                differs = float((sessions(images) - made).abs().max())
                if differs > AGREE[self.precision]:
                    self.note(f"--backend {name}: is left out, its tile differs from PyTorch's by {differs:.2g}")
                    continue
                times[name], found[name] = _seconds(lambda each=sessions: each(images)), sessions
            except (UserError, RuntimeError, ValueError, MemoryError) as error:
                self.note(f"--backend {name}: is left out ({' '.join(str(error).split())[:120]})")
        best = min(times, key=lambda name: times[name], default=None)
        ratios = ", ".join(f"{name} {here / seconds:.1f}" for name, seconds in times.items())
        if best is None or times[best] > FASTER * here:
            if times:
                self.note(f"torch computes this network; as fast as torch, of one tile: {ratios}")
            return
        self._compute = found[best]
        self.note(f"{best} computes from here, in {self.precision}; times as fast as torch, of one tile: {ratios}")


class Sessions:
    """A network in another runtime: a session for each form that its state takes, made when it is first asked for."""

    def __init__(self, network: nn.Module, backend: Backend, name: str, precision: str) -> None:
        self.network, self.backend, self.name, self.precision = network, backend, name, precision
        self._made: dict[object, tuple[StateGraph, Session]] = {}
        self._folder: Path | None = None

    def __call__(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) on the CPU to (B, C', scale*H, scale*W)."""
        state = self.network.state(images) if isinstance(self.network, TrainedOutput) else None
        leaves, form = pytree.tree_flatten(state)
        key = (str(form), tuple(tuple(each.shape) if isinstance(each, Tensor) else each for each in leaves))
        if key not in self._made:
            self._made[key] = self._prepare(images, state)
        graph, session = self._made[key]
        return session(asked(session, graph.inputs, [images, *graph.values(state)]))

    def _prepare(self, images: Tensor, state: Any) -> tuple[StateGraph, Session]:
        with torch.inference_mode(False), torch.no_grad(), networks_in(None):
            plain = pytree.tree_map_only(Tensor, lambda each: each.clone(), state)
            multiple = int(getattr(self.network, "multiple", 1))
            side = -(-EXAMPLE // multiple) * multiple  # two of them, or torch takes one for the only number there is
            example = smooth((2, images.shape[1], side, side + multiple), torch.Generator().manual_seed(0))
            graph = StateGraph(self.network, example, plain)
            if self._folder is None:
                self._folder = Path(mkdtemp())
                finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            folder = self._folder / str(len(self._made))
            folder.mkdir()
            try:
                return graph, self.backend.prepare(graph, folder, precision=self.precision)
            except UserError as error:
                raise UserError(f"--backend {self.name}: {error}") from None


def _seconds(call: Callable[[], object]) -> float:
    """The shorter of two times."""
    times = []
    for _ in range(2):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return min(times)

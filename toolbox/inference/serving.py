"""Who computes a network: PyTorch, or another runtime, chosen by name or by the time that a tile takes."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.contracts.backend import Backend, InPlace
from toolbox.contracts.graph import missing
from toolbox.inference.kept_graphs import fastest, remember_fastest
from toolbox.inference.options import Options
from toolbox.inference.sessions import AGREE, Sessions, graph_of
from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry

AUTO, TORCH = "auto", "torch"
WORTH = 30.0
"""Seconds of work left from which other runtimes are tried: making their graphs takes some."""
KNOWN = 4.0
"""Seconds of work left from which the runtime is taken that was the fastest for this network before."""
LONG = 1.0
"""Seconds of a call that is not timed a second time."""
FASTER = 0.9
"""Part of PyTorch's time that another runtime may take at most to be preferred."""


class Server:
    """A network's tiles, computed by the backend that the options name: `server(images) -> images`.

    `auto` begins with PyTorch. Once a tile's time tells that there is enough left to do, every installed backend that
    has the precision computes the same tile, and the fastest that agrees with PyTorch goes on. It is remembered in the
    cache, as its graph is, so that the next run goes on with it after one tile.
    """

    def __init__(self, network: nn.Module, options: Options, device: torch.device, note: Callable[[str], None]) -> None:
        self.network, self.precision, self.device, self.note = network, options.precision, device, note
        name, _, option = options.backend.partition(":")
        self._compute: Callable[[Tensor], Tensor] = network
        self._undecided = self._asked = False
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
        left = seconds * self._left / images.numel()
        if left > KNOWN and not self._asked:
            self._asked = True
            known = fastest(graph_of(self.network, images), self.precision)
            self._undecided = known != TORCH and not (known in self._installed() and self._goes_on(known, images, made))
        if left > WORTH and self._undecided:
            self._undecided = False
            self._choose(images, made)
        return made

    def _goes_on(self, name: str, images: Tensor, made: Tensor) -> bool:
        """Take the backend that was the fastest before, where its tile agrees with PyTorch's."""
        sessions = self._agreeing(name, images, made)
        if sessions is None:
            return False
        self._compute = sessions
        self.note(f"{name} computes from here, in {self.precision}; it was the fastest for this network before")
        return True

    def _agreeing(self, name: str, images: Tensor, made: Tensor) -> Sessions | None:
        """A backend's sessions, if what they make of a tile agrees with PyTorch's; why not is told."""
        sessions = Sessions(self.network, registry("backends").get(name)(), name, self.precision)
        try:
            differs = float((sessions(images) - made).abs().max())
        except (UserError, RuntimeError, ValueError, MemoryError) as error:
            self.note(f"--backend {name}: is left out ({' '.join(str(error).split())[:120]})")
            return None
        if differs > AGREE[self.precision]:
            self.note(f"--backend {name}: is left out, its tile differs from PyTorch's by {differs:.2g}")
            return None
        return sessions

    def _installed(self) -> list[str]:
        """Backends beside PyTorch that could compute this network."""
        found = []
        for name in registry("backends").names():
            kind: Any = registry("backends").get(name)
            fits = self.precision in kind.precisions and self.device.type in kind.devices
            if not issubclass(kind, InPlace) and fits and not missing(kind.packages, kind.extra):
                found.append(name)
        return found

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
        found = {name: self._agreeing(name, images, made) for name in self._installed()}
        agreeing = {name: sessions for name, sessions in found.items() if sessions}
        if not agreeing:
            remember_fastest(graph_of(self.network, images), self.precision, TORCH)
            return
        here = _seconds(lambda: self.network(images))
        times = {name: _seconds(lambda each=sessions: each(images)) for name, sessions in agreeing.items()}
        best = min(times, key=lambda name: times[name])
        ratios = ", ".join(f"{name} {here / taken:.1f}" for name, taken in times.items())
        if times[best] > FASTER * here:
            best = TORCH
            self.note(f"torch computes this network; as fast as torch, of one tile: {ratios}")
        else:
            self._compute = agreeing[best]
            self.note(f"{best} computes from here, in {self.precision}; times as fast as torch, of one tile: {ratios}")
        remember_fastest(graph_of(self.network, images), self.precision, best)


def _seconds(call: Callable[[], object]) -> float:
    """What a call takes: the shorter of two times, or the first where it is long enough to be trusted."""
    times = []
    while len(times) < 2 and sum(times) < LONG:
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return min(times)

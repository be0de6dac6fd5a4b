"""Who computes a network: PyTorch, or another runtime, chosen by name or by the time that a tile takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from math import ceil, sqrt
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.contracts.backend import Backend, InPlace
from toolbox.contracts.graph import missing
from toolbox.inference.kept_graphs import Fastest, circumstance_of, fastest, remember_fastest
from toolbox.inference.options import Options
from toolbox.inference.sessions import AGREE, Sessions, graph_of
from toolbox.inference.tiling import is_out_of_memory
from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry

AUTO, TORCH = "auto", "torch"
WORTH = 30.0
"""Seconds of work left from which other runtimes are tried: making their graphs takes some."""
KNOWN = 4.0
"""Seconds of work left from which the runtime is taken that was the fastest before, while nobody knows how long it
takes to begin."""
LOOKED = 1e10
"""Weights times numbers of the images, from which it is looked up what was the fastest: half a second of work."""
FASTER = 0.97
"""Part of PyTorch's time that another runtime may take at most to be preferred."""
RACE = 0.03
"""Part of the time left that a race may take, beside the two rounds that there always are."""
ROUNDS = 16
"""Of a race, at most."""
TRYING = 0.1
"""Part of the time left that trying other runtimes should take: where tiles take more, a piece of one is tried."""
PIECE = 128
"""Side of that piece, at least."""
FAILURES = 3
"""Tiles at which a runtime that was chosen by its time may fail before PyTorch goes on."""


class Server:
    """A network's tiles, computed by the backend that the options name: `server(images) -> images`.

    `auto` begins with PyTorch. Once a tile's time tells that there is enough left to do, every installed backend that
    has the precision computes the same tile, and the fastest that agrees with PyTorch goes on. It is remembered in the
    cache, as its graph is, with what it takes: the next run begins with it where that ends sooner.
    """

    def __init__(self, network: nn.Module, options: Options, device: torch.device, note: Callable[[str], None]) -> None:
        self.network, self.precision, self.device, self.note = network, options.precision, device, note
        name, _, option = options.backend.partition(":")
        self._compute: Callable[[Tensor], Tensor] = network
        self._undecided = self._asked = self._chosen = False
        self._known: Fastest | None = None
        self._left = self._failures = 0
        self._short = False
        """Whether memory ran out while a runtime was tried, which says nothing of the next run."""
        self._weights = sum(each.numel() for each in network.parameters())
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
            self._compute, self._chosen = self._named(name, ""), False
            here = name
        self._undecided = False
        return here

    def __call__(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), on the device, to (B, C', scale*H, scale*W)."""
        if self._undecided and self._left * self._weights > LOOKED:
            made = self._by_the_known(images)
            if made is not None:
                return made
        if not self._undecided:
            return self._by_the_chosen(images) if self._chosen else self._compute(images)
        start = perf_counter()
        made = self.network(images)
        seconds = perf_counter() - start
        self._left -= images.numel()
        left = seconds * self._left / images.numel()
        if left > WORTH and not self._known:
            self._undecided = False
            self._choose(images, made, seconds, left)
        return made

    def _by_the_chosen(self, images: Tensor) -> Tensor:
        """A tile by the backend that was chosen; by PyTorch where that fails alone, as of a shape that it lacks."""
        try:
            return self._compute(images)
        except (UserError, RuntimeError, ValueError) as error:
            if is_out_of_memory(error):
                raise
            made = self.network(images)  # raises what is wrong with the images themselves
            self._failures += 1
            ends = self._failures == FAILURES
            name, why = getattr(self._compute, "name", ""), " ".join(str(error).split())[:120]
            self.note(f"--backend {name}: fails ({why}); torch computes {'from here' if ends else 'this tile'}")
            if ends:
                self._compute, self._chosen = self.network, False
            return made

    def _by_the_known(self, images: Tensor) -> Tensor | None:
        """A tile by the backend that was the fastest before, which goes on; None where PyTorch is done sooner."""
        if not self._asked:
            self._asked, self._known = True, fastest(graph_of(self.network, images), self._circumstance())
        known = self._known
        if known is None:
            return None
        if known.name == TORCH:
            self._undecided = False
            return None
        if self._left * known.torch <= KNOWN if known.begin is None else known.saves(self._left) <= known.begin:
            return None
        self._known = None
        sessions = self._sessions(known.name) if known.name in self._installed() else None
        start = perf_counter()
        made = self._tried(sessions, images) if sessions else None
        begin = perf_counter() - start - known.seconds * images.numel()
        if (
            sessions is None
            or made is None
            or not (sessions.compared or self._agrees(sessions, made, self.network(images)))
        ):
            return None
        self._compute, self._undecided, self._chosen = sessions, False, True
        if sessions.compared:
            measured = replace(known, begin=max(0.0, begin))
            remember_fastest(graph_of(self.network, images), self._circumstance(), measured)
        self.note(f"{known.name} computes from here, in {self.precision}; it was the fastest for this network before")
        return made

    def _sessions(self, name: str) -> Sessions:
        return Sessions(self.network, registry("backends").get(name)(), name, self.precision)

    def _tried(self, sessions: Sessions, images: Tensor) -> Tensor | None:
        """What a backend makes of a tile; if it fails, that is told."""
        try:
            return sessions(images)
        except (UserError, RuntimeError, ValueError, MemoryError) as error:
            self._short = self._short or is_out_of_memory(error)
            self.note(f"--backend {sessions.name}: is left out ({' '.join(str(error).split())[:120]})")
            return None

    def _agrees(self, sessions: Sessions, made: Tensor, wanted: Tensor) -> bool:
        """Whether a backend's tile agrees with PyTorch's; if not, that is told."""
        differs = float((made - wanted).abs().max())
        if agrees := differs <= AGREE[self.precision]:
            return agrees
        self.note(f"--backend {sessions.name}: is left out, its tile differs from PyTorch's by {differs:.2g}")
        return False

    def _circumstance(self) -> str:
        names = self._installed()
        kinds: list[Any] = [registry("backends").get(name) for name in names]
        return circumstance_of(self.precision, [*names, *(package for kind in kinds for package in kind.packages)])

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
        return self._sessions(name)

    def _choose(self, images: Tensor, made: Tensor, seconds: float, left: float) -> None:
        """Let the installed backends compute a tile in turn with PyTorch, and go on with the fastest.

        Args:
            made: what PyTorch made of the images, in so many `seconds`.
            left: seconds of work.
        """
        names, agreeing = self._installed(), dict[str, Sessions]()
        piece = self._piece(images, TRYING * left / (seconds * (3 * len(names) + 2)))
        if piece.shape != images.shape:
            images, made = piece, self.network(piece)
        for name in names:
            sessions = self._sessions(name)
            tile = self._tried(sessions, images)
            if tile is not None and self._agrees(sessions, tile, made):
                agreeing[name] = sessions
        times: dict[str, float] = {}
        if agreeing:
            others = {name: partial(self._tried, sessions) for name, sessions in agreeing.items()}
            times = _race({TORCH: self.network, **others}, images, RACE * left)
        graph, numbers, here = graph_of(self.network, images), images.numel(), times.pop(TORCH, 0.0)
        best = min(times, key=lambda name: times[name], default=TORCH)
        ratios = ", ".join(f"{name} {here / taken:.2f}" for name, taken in times.items())
        if not times or times[best] > FASTER * here:
            if times:
                self.note(f"torch computes this network; times as fast as torch, of one tile: {ratios}")
            if not self._short:
                remember_fastest(graph, self._circumstance(), Fastest(TORCH, here / numbers, here / numbers))
            return
        self._compute, self._chosen = agreeing[best], True
        self.note(f"{best} computes from here, in {self.precision}; times as fast as torch, of one tile: {ratios}")
        remember_fastest(graph, self._circumstance(), Fastest(best, times[best] / numbers, here / numbers))

    def _piece(self, images: Tensor, part: float) -> Tensor:
        """So much of images, from their middle: all where `part` is 1 or more, and never less than PIECE pixels."""
        multiple = int(getattr(self.network, "multiple", 1))
        for axis in (-2, -1) if part < 1 else ():
            length = images.shape[axis]
            side = max(ceil(length * sqrt(part)), PIECE, 4 * multiple)
            side = min(length, -(-side // multiple) * multiple)
            images = images.narrow(axis, (length - side) // 2, side)
        return images.contiguous(memory_format=torch.channels_last)


def _race(ways: Mapping[str, Callable[[Tensor], Tensor | None]], images: Tensor, seconds: float) -> dict[str, float]:
    """The least time of each way, which take turns: twice, and on while no more than `seconds` are spent.

    What else a machine does slows all of them, and one alone where they do not take turns. One that makes nothing
    has failed, and has no time.
    """
    least = dict.fromkeys(ways, float("inf"))
    begun = perf_counter()
    for number in range(ROUNDS):
        if number >= 2 and perf_counter() - begun > seconds:
            break
        for name, call in ways.items():
            if name not in least:
                continue
            start = perf_counter()
            if call(images) is None:
                del least[name]
            else:
                least[name] = min(least[name], perf_counter() - start)
    return least

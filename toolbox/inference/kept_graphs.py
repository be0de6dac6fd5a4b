"""Graphs that other runtimes computed before, kept in the cache: making one takes seconds, reading it none."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from toolbox import __version__
from toolbox.assembly.graph import StateGraph
from toolbox.inference.identity import identity_of
from toolbox.io.cache import cache_folder
from toolbox.io.errors import UserError
from toolbox.io.files import replace_text

MOST = 24
"""Graphs that are kept: one for each network, and for each strength or style that was asked of it."""
_FASTEST = "fastest.json"


def kept_folder(graph: StateGraph) -> Path | None:
    """The folder of a graph, which is made; None where there is no place for a cache.

    Its name is a hash of the weights, the layers, what was chosen, and the versions of torch and the toolbox. What a
    change of code does is not in it: who reads from the folder compares an image with PyTorch's.
    """
    try:
        folder = _place(graph)
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()  # the least recently used goes first
        _prune(folder.parent)
    except (UserError, OSError):  # an account without a home, a full disk
        return None
    return folder


def files_in(folder: Path) -> list[Path]:
    """What runtimes wrote into a graph's folder."""
    return [each for each in folder.iterdir() if each.name != _FASTEST]


@dataclass(frozen=True)
class Fastest:
    """The backend that was the fastest for a graph, with what its time was.

    Args:
        name: `torch` where no other was faster.
        seconds: it took for each number of the images.
        torch: PyTorch's seconds for the same.
        begin: seconds until its first tile is begun, by a graph that was kept; None before that was measured.
    """

    name: str
    seconds: float
    torch: float
    begin: float | None = None

    def saves(self, numbers: int) -> float:
        """The seconds by which so many numbers are done sooner, its beginning left out."""
        return numbers * (self.torch - self.seconds)


def fastest(graph: StateGraph, circumstance: str) -> Fastest | None:
    """The fastest for a graph in the same circumstance; None where none was tried."""
    with suppress(UserError, OSError, ValueError, LookupError, TypeError):
        found = Fastest(**json.loads((_place(graph) / _FASTEST).read_text())[circumstance])
        numbers = (found.seconds, found.torch, found.begin or 0.0)
        return found if all(isinstance(each, (int, float)) and each >= 0 for each in numbers) else None
    return None


def remember_fastest(graph: StateGraph, circumstance: str, found: Fastest) -> None:
    """Keep which backend was the fastest."""
    folder = kept_folder(graph)
    if folder is None:
        return
    known: dict[str, object] = {}
    with suppress(OSError, ValueError, TypeError):
        known = dict(json.loads((folder / _FASTEST).read_text()))
    with suppress(OSError):
        replace_text(folder / _FASTEST, json.dumps({**known, circumstance: asdict(found)}))


def circumstance_of(precision: str, others: Iterable[str]) -> str:
    """What times depend on beside the graph: precision, threads, processor, and versions of what could compute."""
    versions = [f"{name} {_version(name)}" for name in sorted(set(others))]
    return ", ".join([precision, f"{torch.get_num_threads()} threads", _processor(), *versions])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a plugin's backend, or one whose distribution is called otherwise
        return "of some version"


@lru_cache(maxsize=1)
def _processor() -> str:
    """The processor's model, where the system tells it: a cache may be shared by unlike machines."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "CPU part"):
                return f"{platform.machine()} {value.strip()}"
    return f"{platform.machine()} {platform.processor()}"


def _place(graph: StateGraph) -> Path:
    """Where a graph's folder is, or would be. Raises UserError for an account without a home."""
    versions = f"{__version__} {torch.__version__} {graph.tree}"
    return cache_folder() / "graphs" / identity_of(graph, versions, *graph.fixed)[:40]


def _prune(folder: Path) -> None:
    """Leave the graphs that were used last."""
    every = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
    for old in every[MOST:]:
        shutil.rmtree(old, ignore_errors=True)

"""Graphs that other runtimes computed before, kept in the cache: making one takes seconds, reading it none."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
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


def fastest(graph: StateGraph, precision: str) -> str | None:
    """The backend that was the fastest for a graph with as many threads; None where none was tried."""
    with suppress(UserError, OSError, ValueError, AttributeError):
        found = json.loads((_place(graph) / _FASTEST).read_text()).get(_circumstance(precision))
        return found if isinstance(found, str) else None
    return None


def remember_fastest(graph: StateGraph, precision: str, name: str) -> None:
    """Keep which backend was the fastest."""
    folder = kept_folder(graph)
    if folder is None:
        return
    known: dict[str, str] = {}
    with suppress(OSError, ValueError):
        known = dict(json.loads((folder / _FASTEST).read_text()))
    with suppress(OSError):
        replace_text(folder / _FASTEST, json.dumps({**known, _circumstance(precision): name}))


def _circumstance(precision: str) -> str:
    return f"{precision}, {torch.get_num_threads()} threads"


def _place(graph: StateGraph) -> Path:
    """Where a graph's folder is, or would be. Raises UserError for an account without a home."""
    versions = f"{__version__} {torch.__version__} {graph.tree}"
    return cache_folder() / "graphs" / identity_of(graph, versions, *graph.fixed)[:40]


def _prune(folder: Path) -> None:
    """Leave the graphs that were used last."""
    every = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
    for old in every[MOST:]:
        shutil.rmtree(old, ignore_errors=True)

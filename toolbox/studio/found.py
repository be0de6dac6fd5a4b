"""What lies below the folder that the studio was started in: exported networks, runs, and benchmarks' reports."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

DEPTH, ENTRIES = 6, 20_000
"""How deep folders are searched, and how many entries at the most: a home folder must not keep the page waiting."""
FRESH = 3.0
"""Seconds for which a search is believed."""
_ELSEWHERE = {"node_modules", "site-packages", "__pycache__", "samples", "vis_data", "photos", "images"}
_DESCRIBED = (".safetensors.json", ".pth.json", ".onnx.json", ".xml.json")


@dataclass
class Findings:
    """Paths by what they are; `runs` are folders of trainings, the newest first, `grids` hold a benchmark's report."""

    exports: list[Path] = field(default_factory=list)
    runs: list[Path] = field(default_factory=list)
    grids: list[Path] = field(default_factory=list)
    cut: bool = False
    """Whether there was more than is searched."""


class Finder:
    """Searches a folder, at most every few seconds; what it found is named by ids that tell nothing of paths."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._found = Findings()
        self._at = -FRESH
        self._one = threading.Lock()

    def find(self) -> Findings:
        """What lies there now."""
        with self._one:  # several threads ask
            if time.monotonic() - self._at >= FRESH:
                self._found = search(self.root)
                self._at = time.monotonic()
            return self._found

    def run(self, name: str) -> Path | None:
        """The run of an id."""
        return next((each for each in self.find().runs if id_of(each) == name), None)

    def grid(self, name: str) -> Path | None:
        """The benchmark of an id."""
        return next((each for each in self.find().grids if id_of(each) == name), None)

    def shown(self, path: Path) -> str:
        """A path as a person reads it: below the folder that was searched."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name


def id_of(path: Path | str) -> str:
    """A short name by which a page asks for a path."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:16]


def search(root: Path) -> Findings:
    """Look through a folder; links to folders are not followed, and hidden ones are passed over."""
    found = Findings()
    for folder, names in _walk(root, found):
        here = set(names)
        found.exports += [
            folder / name.removesuffix(".json") for name in sorted(names)
            if name.endswith(_DESCRIBED) and name.removesuffix(".json") in here
        ]  # fmt: skip
        if "config.yaml" in here and (".lock" in here or "report.json" in here or "last_checkpoint" in here):
            found.runs.append(folder)
        elif "report.html" in here and "report.json" in here:
            found.grids.append(folder)
    found.runs.sort(key=changed, reverse=True)
    found.grids.sort(key=changed, reverse=True)
    return found


def changed(folder: Path) -> float:
    """When a folder's entries, or the log of the run in it, last changed."""
    newest = 0.0
    for path in (folder, *folder.glob("*/vis_data/scalars.json")):
        try:
            newest = max(newest, path.stat().st_mtime)
        except OSError:  # it went meanwhile
            continue
    return newest


def _walk(root: Path, found: Findings) -> Iterator[tuple[Path, list[str]]]:
    seen = 0
    for folder, folders, names in os.walk(root):
        depth = len(Path(folder).relative_to(root).parts)
        seen += len(names) + len(folders)
        if seen > ENTRIES:
            found.cut = True
            return
        folders[:] = sorted(
            name for name in folders if depth < DEPTH and not name.startswith(".") and name not in _ELSEWHERE
        )
        yield Path(folder), names

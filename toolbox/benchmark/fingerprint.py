"""What makes a run this run and no other: a hash of config, seed, data, weights to begin with, and versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from toolbox.plugins.manager import PluginManager

HEAD = 1 << 16
"""Bytes at the beginning of each file of data that count, beside its name and length."""
ELSEWHERE = ("work_dir", "resume", "launcher", "experiment_name")
"""Keys of a config that change no result."""
SHOWN = ("logger", "samples")
"""Default hooks that change no result."""


def key_of(
    config: Mapping[str, Any],
    *,
    seed: int,
    threads: int,
    needs: Mapping[str, str],
    plugins: PluginManager,
    stage: bool = False,
) -> str:
    """Sixteen hexadecimal digits; `needs` are the keys of the runs whose weights this one begins with.

    A stage's run is not tested, so it is another than a cell's of the same config.
    """
    counted = {name: value for name, value in config.items() if name not in ELSEWHERE}
    hooks = (config.get("default_hooks") or {}).items()
    counted["default_hooks"] = {name: settings for name, settings in hooks if name not in SHOWN}
    content = {
        "config": below_here(counted),
        "seed": seed,
        "threads": threads,  # sums of another order differ in the last bit
        "needs": dict(needs),
        "plugins": versions(plugins),
        "torch": torch.__version__,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "files": {below_here(str(path)): digest(path) for path in sorted(set(files(config)))},
    }
    content |= {"stage": True} if stage else {}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def below_here(value: Any) -> Any:
    """The same with every text that begins with this folder's path made relative: a checkout may lie anywhere."""
    if isinstance(value, Mapping):
        return {name: below_here(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [below_here(each) for each in value]
    return value.removeprefix(f"{Path.cwd().as_posix()}/") if isinstance(value, str) else value


def versions(plugins: PluginManager) -> dict[str, str]:
    """Every plugin's version; of one that is a single file, what is in it."""
    found = {}
    for name, version in plugins.versions().items():
        source = Path(plugins.plugins[name].distribution)
        own = source.suffix == ".py" and source.is_file()
        found[name] = hashlib.sha256(source.read_bytes()).hexdigest()[:16] if own else version
    return found


def files(value: Any) -> Iterator[Path]:
    """Files and folders that a config names anywhere: data, and weights to begin with."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name not in ELSEWHERE:
                yield from files(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from files(each)
    elif isinstance(value, str) and ("/" in value or "." in value):
        for text in (value, value.rpartition(":")[0]):  # run.pth:slot
            path = Path(text).expanduser()
            try:
                if text and path.exists() and not Path.cwd().is_relative_to(path.resolve()):
                    yield path
            except (OSError, ValueError):  # text that no disk can hold
                return


def digest(path: Path) -> str:
    """A hash of a file, or of everything in a folder: names, lengths, and the first 64 KiB of each file."""
    if path.is_file():  # weights to begin with, whose first bytes say little
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    entries = sorted(each for each in path.rglob("*") if each.is_file())
    whole = hashlib.sha256()
    for entry in entries:
        status = entry.stat()
        name = entry.relative_to(path).as_posix()
        whole.update(f"{name}\0{status.st_size}\0{_head(entry, status.st_mtime_ns, status.st_size)}\0".encode())
    return whole.hexdigest()[:16]


@lru_cache(maxsize=1 << 20)
def _head(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read(HEAD)).hexdigest()

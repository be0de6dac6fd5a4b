"""Looks at what a config needs before it is run: data, weights, a folder to write to."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from toolbox.assembly.doctor import Finding, isolated
from toolbox.config import Config
from toolbox.config.shipped import shown
from toolbox.io.errors import UserError
from toolbox.io.images import images_at, read_image
from toolbox.io.search import search

LITTLE_SPACE = 2 * 2**30
SECONDS = 20.0
"""How long the images of one folder are read."""


def examine_config(config: Config, *, seconds: float = SECONDS) -> Iterator[Finding]:
    """Everything that the config refers to; a config that is wrong itself is a finding."""
    yield from isolated("config", lambda: wholeness(config))
    folders = {}
    for split in ("train", "val", "test"):
        loader = config.data.get(f"{split}_dataloader")
        for key, root in data_folders(loader, f"{split}_dataloader"):
            folders.setdefault(root, key)
    for root, key in folders.items():
        yield from isolated(key, lambda root=root, key=key: folder_of_images(key, root, seconds))
    yield from isolated("load_from", lambda: starting_point(config))
    for key, weights, sha256 in weight_files(config.data.get("model"), "model"):
        yield from isolated(key, lambda k=key, w=weights, s=sha256: one_weight_file(k, w, s))
    yield from isolated("work_dir", lambda: place_to_write(config))


def wholeness(config: Config) -> Iterator[Finding]:
    """The config itself, against the plugins."""
    from toolbox.assembly.check import check

    check(config)
    yield Finding("config", "ok", str(config.file))


def data_folders(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Every folder that a dataset names (`root`, `root_a`, each of `roots`), with its key; nested ones too."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from data_folders(item, f"{key}.{index}")
    if not isinstance(value, Mapping):
        return
    for name, item in value.items():
        here = f"{key}.{name}"
        if name == "roots" and isinstance(item, Mapping):
            yield from ((f"{here}.{each}", root) for each, root in item.items() if isinstance(root, str))
        elif isinstance(item, str) and (name == "root" or str(name).startswith("root_")):
            yield here, item
        else:
            yield from data_folders(item, here)


def folder_of_images(key: str, root: str, seconds: float) -> Iterator[Finding]:
    """Whether a folder is there, how many images it holds, and the first of them that cannot be read."""
    place = Path(root).expanduser()
    try:
        images = images_at(place)
    except UserError as error:
        yield Finding(key, "bad", str(error), "mend the path in the config, or fetch the data")
        return
    until, done = time.monotonic() + seconds, 0
    for path in images:
        if time.monotonic() > until:
            break
        try:
            read_image(path)
        except UserError as error:
            yield Finding(key, "bad", f"{root}: {len(images)} images; {error}", "replace or remove that file")
            return
        done += 1
    read = "all readable" if done == len(images) else f"the first {done:,} readable, the others not looked at"
    yield Finding(key, "ok", f"{root}: {len(images):,} images, {read}")
    for note in search(place).notes() if place.is_dir() else ():
        yield Finding(key, "ok", note)


def starting_point(config: Config) -> Iterator[Finding]:
    """The checkpoint, or the networks' files, that training begins with, if the config names any."""
    from toolbox.training.starting import file_of

    given = config.data.get("load_from") or {}
    named = {"": given} if isinstance(given, str) else {f".{slot}": file for slot, file in given.items()}
    for key, file in ((f"load_from{slot}", file) for slot, file in named.items()):
        if file_of(file).is_file():
            yield Finding(key, "ok", f"{file} ({file_of(file).stat().st_size / 1e6:.0f} MB)")
        else:
            way_out = "run what makes it (the config's header says), name another, or write load_from: null"
            yield Finding(key, "bad", f"there is no file {file}", way_out)


def weight_files(value: Any, key: str) -> Iterator[tuple[str, str, Any]]:
    """Every `weights` of a component: its key, the path or address, and the hash that goes with it."""
    if isinstance(value, Mapping):
        if isinstance(value.get("weights"), str):
            yield f"{key}.weights", value["weights"], value.get("sha256")
        for name, item in value.items():
            yield from weight_files(item, f"{key}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from weight_files(item, f"{key}.{index}")


def one_weight_file(key: str, weights: str, sha256: Any) -> Iterator[Finding]:
    """Whether a weight file is there, or what is fetched is fetched already."""
    file = Path(weights).expanduser()
    if "://" in weights:
        import torch

        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(unquote(urlsplit(weights).path)).name
        if not file.is_file():
            way_out = f"nothing, if this machine has a network; else put the file at {file}"
            yield Finding(key, "warn", f"{weights} will be downloaded when the run starts", way_out)
            return
    if not file.is_file():
        yield Finding(key, "bad", f"there is no file {weights}", "mend the path, or fetch the file")
        return
    if sha256:
        from toolbox.weights.checkpoint import file_hash

        if file_hash(file) != str(sha256).lower():
            yield Finding(key, "bad", f"{file}: is another file, or damaged (SHA-256)", "fetch it again")
            return
    yield Finding(key, "ok", f"{file} ({file.stat().st_size / 1e6:.0f} MB)")


def place_to_write(config: Config) -> Iterator[Finding]:
    """Whether checkpoints can be written, and how much room there is. Nothing is made there."""
    from toolbox.assembly.runner import work_dir_of

    folder = work_dir_of(config).absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    way_out = "choose another with --work-dir, or work_dir in the config"
    if not there.is_dir():
        yield Finding("work_dir", "bad", f"{there} is a file, not a folder", way_out)
        return
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        yield Finding("work_dir", "bad", f"{folder}: cannot be written ({error.strerror})", way_out)
        return
    free = shutil.disk_usage(there).free
    text = f"{shown(folder)}: writable, {free / 2**30:.1f} GiB free"
    if free < LITTLE_SPACE:
        yield Finding("work_dir", "warn", text, f"a run keeps several checkpoints; {way_out}")
    else:
        yield Finding("work_dir", "ok", text)

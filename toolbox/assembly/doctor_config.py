"""Looks at what a config needs before it is run: data, weights, a folder to write to."""

from __future__ import annotations

import copy
import dataclasses
import re
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
from toolbox.io.errors import ConfigError, UserError
from toolbox.io.images import SUFFIXES, images_at, read_image
from toolbox.io.search import search

LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")
EVALUATIONS = ("val_evaluator", "test_evaluator")
PATH_KEYS = re.compile(r"(.*_)?(images?|styles?|files?|folders?|path|dir|directory)")
"""Arguments that name a file or a folder, whatever their values look like."""
PATH_SUFFIXES = {
    *SUFFIXES, ".pth", ".pt", ".ckpt", ".safetensors", ".npz", ".npy", ".csv", ".json", ".txt", ".h5", ".cube",
}  # fmt: skip
LITTLE_SPACE = 2 * 2**30
SECONDS = 20.0
"""How long the images of one folder are read."""


def examine_config(config: Config, *, seconds: float = SECONDS) -> Iterator[Finding]:
    """Everything that the config refers to; a config that is wrong itself is a finding."""
    found = list(_needs(config, seconds))
    yield from found
    # what would be downloaded is not, and what is missing was said
    if not any(each.state == "bad" or (each.subject.endswith(".weights") and each.state == "warn") for each in found):
        yield from isolated("run", lambda: rehearsal(config))


def _needs(config: Config, seconds: float) -> Iterator[Finding]:
    yield from isolated("config", lambda: wholeness(config))
    folders = {}
    for section in LOADERS:
        for key, root in data_folders(config.data.get(section), section):
            folders.setdefault(root, key)
    for root, key in folders.items():
        yield from isolated(key, lambda root=root, key=key: folder_of_images(key, root, seconds))
    yield from isolated("load_from", lambda: starting_point(config))
    for section in ("model", *EVALUATIONS, "custom_hooks"):
        for key, weights, sha256 in weight_files(config.data.get(section), section):
            yield from isolated(key, lambda k=key, w=weights, s=sha256: one_weight_file(k, w, s))
    for section in ("model", *LOADERS, *EVALUATIONS, "custom_hooks"):
        for key, path in other_paths(config.data.get(section), section):
            yield from isolated(key, lambda k=key, p=path: one_path(k, p))
    yield from isolated("work_dir", lambda: place_to_write(config))


def rehearsal(config: Config) -> Iterator[Finding]:
    """What a run would look at before it begins: sizes from headers, scales, the first sample. No network runs."""
    from toolbox.assembly.build import build_component
    from toolbox.assembly.runner import checked_parts
    from toolbox.assembly.sample_sizes import check_samples, look_at

    splits = [split for split in ("train", "val", "test") if config.data.get(f"{split}_dataloader")]
    data = copy.deepcopy(config.data)
    faults = 0
    for split in splits:
        section, key = data[f"{split}_dataloader"], f"{split}_dataloader.dataset"
        if isinstance(section["dataset"].get("cache"), bool):
            section["dataset"]["cache"] = False  # which decodes everything, into a file
        dataset = build_component("datasets", section["dataset"], key)
        looked = look_at(dataset)
        try:
            check_samples(split, section, looked)
        except ConfigError as error:
            faults += 1
            yield Finding(key, "bad", error.message, "remove or replace these files, or change the config")
            continue
        counted = f"{looked.total:,} samples"
        if looked.seen:
            counted += f", {len(looked.kinds):,} size{'s' * (len(looked.kinds) != 1)}: fit"
        yield Finding(key, "ok", counted)
    if splits and not faults:
        try:
            checked_parts(dataclasses.replace(config, data=data), tuple(splits))
        except UserError as error:
            yield Finding("run", "bad", str(error), "a run would stop with this line")
            return
        yield Finding("run", "ok", f"{' and '.join(splits)} can begin")


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
    from toolbox.training.starting import source_of

    given = config.data.get("load_from") or {}
    named = {"": given} if isinstance(given, str) else {f".{slot}": file for slot, file in given.items()}
    for key, file in ((f"load_from{slot}", file) for slot, file in named.items()):
        place = source_of(file, key).file
        if place.is_file():
            yield Finding(key, "ok", f"{place} ({place.stat().st_size / 1e6:.0f} MB)")
        else:
            way_out = "run what makes it (the config's header says), name another, or write load_from: null"
            yield Finding(key, "bad", f"there is no file {place}", way_out)


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


def other_paths(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Every other argument that names a file or a folder, by its own name or by the file's: its key, and the path."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from other_paths(item, f"{key}.{index}")
    for name, item in value.items() if isinstance(value, Mapping) else ():
        name, here = str(name), f"{key}.{name}"
        if name in ("type", "weights", "root", "roots") or name.startswith("root_"):
            continue  # looked at elsewhere
        each = item if isinstance(item, list) and all(isinstance(one, str) for one in item) else [item]
        for one in each:
            if isinstance(one, str) and "://" not in one and is_path(name, one):
                yield here, one
            elif not isinstance(one, str):
                yield from other_paths(one, here)


def is_path(name: str, value: str) -> bool:
    """Whether an argument is one of a file or a folder: it is called so and looks like one, or ends as files do."""
    named = PATH_KEYS.fullmatch(name) is not None and ("/" in value or "." in value or Path(value).exists())
    return named or Path(value).suffix.lower() in PATH_SUFFIXES


def one_path(key: str, path: str) -> Iterator[Finding]:
    """Whether a file or folder is there."""
    place = Path(path).expanduser()
    if place.exists():
        yield Finding(key, "ok", path)
    else:
        yield Finding(key, "bad", f"there is no file or folder {path}", "mend the path, or fetch the file")


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
        from toolbox.io.files import file_hash

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

"""Whether the data are still those of the run that is continued: what a checkpoint keeps of them, and what is said."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from toolbox.contracts.dataset import ImageDataset

MEANING = {
    "train": "from here on other samples come than without the interruption: the run goes on, and is no exact one",
    "val": "what validation measures from here on does not compare with what it measured before",
}


def described(dataset: ImageDataset) -> dict[str, Any]:
    """How many samples a dataset has and, where it names its files, how many, their bytes, and two hashes.

    `names` is of the names alone, `sizes` of names and sizes; neither depends on where the folder lies.
    """
    found: dict[str, Any] = {"samples": len(dataset)}
    files = dataset.named_files()
    if files is None:
        return found
    named = sorted((name, _size(path)) for name, path in files)
    total = sum(size for _, size in named)
    return {**found, "files": len(named), "bytes": total, "names": _hash([n for n, _ in named]), "sizes": _hash(named)}


def described_loaders(loaders: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The same of each split's dataset, given its loader (`data.train_loader`, `data.evaluation_loader`)."""
    return {split: described(loader.dataset.dataset) for split, loader in loaders.items() if loader is not None}


def tell_changes(before: Mapping[str, Any], now: Mapping[str, Mapping[str, Any]], logger: logging.Logger) -> None:
    """Say in one line for each split what of its data changed since the checkpoint, and what that means.

    A checkpoint of an older version holds nothing of it, and nothing is said.
    """
    for split, meaning in MEANING.items():
        if split in before and split in now and (change := changed(before[split], now[split])):
            logger.warning("%s_dataloader.dataset %s; %s", split, change, meaning)


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """How data differ from those of a checkpoint; None where nothing tells that they do."""
    if before["samples"] != now["samples"]:
        return f"had {before['samples']:,} samples and has {now['samples']:,}"
    if "files" not in before or "files" not in now:
        return None
    if before["files"] != now["files"]:
        return f"had {before['files']:,} files and has {now['files']:,}"
    if before["names"] != now["names"]:
        return "has files of other names than it had"
    if before["sizes"] != now["sizes"]:
        return f"has files of other sizes than it had ({before['bytes']:,} bytes together, and now {now['bytes']:,})"
    return None


def typed_parts(data: Mapping[str, Any]) -> Iterator[tuple[str, Any, type]]:
    """What of `meta.data` must be of which type, by its place: `train.samples`, its value, int."""
    for split, each in data.items():
        yield split, each, Mapping
        if isinstance(each, Mapping):
            yield f"{split}.samples", each.get("samples"), int
            if "files" in each:
                kinds = {"files": int, "bytes": int, "names": str, "sizes": str}
                yield from ((f"{split}.{key}", each.get(key), kind) for key, kind in kinds.items())


def _size(path: Any) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1  # whoever reads it will say so


def _hash(value: Any) -> str:
    return hashlib.sha256(repr(value).encode(errors="surrogateescape")).hexdigest()

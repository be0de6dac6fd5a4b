"""The decoded images of a folder in one raw file: made once, then mapped into memory by every process and every run.

Decoding a 2K PNG takes about 70 ms; a crop from the map touches its own pages only. The first time that a process
reads an image, its checksum is compared, for some milliseconds: disks and other programs change what
lies for months.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.io.cache import cache_folder
from toolbox.io.errors import UserError
from toolbox.io.files import lock, replace_text, whole
from toolbox.io.images import count_pixels, read_image

VERSION = 2
TOLD = 20.0
"""Seconds after which it is told how far a long making has come."""
logger = logging.getLogger("toolbox")

File = tuple[str, int, int]
"""What tells that a file is still the same: its path below the root, its size, its time of change in nanoseconds."""
Place = tuple[int, int, int]
"""Where an image lies: its offset in bytes, its height and its width."""


@dataclass(slots=True)
class _Map:
    """A finished cache as one process sees it."""

    data: np.ndarray
    places: list[Place]
    sums: list[int]
    """CRC-32 of each image's bytes."""
    compared: bytearray = field(init=False)
    """Of each image, whether this process has compared its checksum."""

    def __post_init__(self) -> None:
        self.compared = bytearray(len(self.places))

    def compare(self, index: int) -> bool:
        """Whether the bytes of image `index` are those that were written."""
        offset, height, width = self.places[index]
        self.compared[index] = zlib.crc32(self.data[offset : offset + height * width * 3].data) == self.sums[index]
        return bool(self.compared[index])


@dataclass(frozen=True)
class Making:
    """What is made of each image once, as large as it is, and kept instead of it.

    Args:
        name: tells ways of making apart: what another one made is made anew.
        make: (H, W, 3) uint8, and the file it is of, to the same.
    """

    name: str
    make: Callable[[np.ndarray, Path], np.ndarray]


class RawCache:
    """The images `paths`, all below `root`, decoded into one file of uint8 RGB and a JSON index beside it.

    With `making` the cache holds what that makes of them, in a folder of its own.

    The cache lives in a folder of its own for each root below `folder`, by default `cache_folder()`. It belongs to
    exactly these files: whatever is added, removed or changed makes it anew. So does damage, which is told, of the
    index at once, of an image when a process first reads it; where that fails, damaged images are decoded from their
    files. Processes that start together make it once. Instances can be pickled; each process maps the file itself, at
    its first read.
    """

    def __init__(
        self, paths: Sequence[Path], root: Path, folder: Path | None = None, making: Making | None = None
    ) -> None:
        self.paths, self.root, self.making = list(paths), root, making
        self.files = [self._file(path) for path in self.paths]
        contents = [VERSION, self.files] if making is None else [VERSION, self.files, making.name]
        self.key = hashlib.sha256(json.dumps(contents).encode()).hexdigest()
        place = root.resolve()
        name = f"{place.name[:40]}-{hashlib.sha256(os.fsencode(place)).hexdigest()[:16]}"
        name += f"-{hashlib.sha256(making.name.encode()).hexdigest()[:16]}" if making else ""
        self.folder = (folder or cache_folder()) / "images" / name
        self.raw, self.index = self.folder / f"{self.key[:16]}.raw", self.folder / f"{self.key[:16]}.json"
        self._decodes = False
        self._mapped: _Map | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}  # a copy of the map would be a copy of the data set

    def __len__(self) -> int:
        return len(self.paths)

    def prepare(self) -> None:
        """Map the cache, made first if need be. Raises UserError for a damaged image, or where there is no room."""
        self._mapped = self._mapped or self._map() or self._make_once(lambda mapped: True)

    def size(self, index: int) -> tuple[int, int]:
        """Height and width of image `index`."""
        if self._mapped is None:
            self.prepare()
        assert self._mapped is not None
        return self._mapped.places[index][1:]

    def read(self, index: int) -> np.ndarray:
        """Image `index` as a read-only view (H, W, 3) uint8 RGB: only what is sliced out of it is read from disk."""
        if self._mapped is None:
            self.prepare()
        mapped = self._mapped
        assert mapped is not None
        if not mapped.compared[index] and not mapped.compare(index):
            return self._mended(index)
        offset, height, width = mapped.places[index]
        return mapped.data[offset : offset + height * width * 3].reshape(height, width, 3)

    def _mended(self, index: int) -> np.ndarray:
        """Image `index`, which is damaged: from a cache made anew, or from its file where that fails."""
        if self._decodes:
            return self._decoded(index)
        try:
            self._mapped = self._make_once(lambda mapped: mapped.compare(index))
            if self._mapped.compare(index):
                return self.read(index)
            problem = "what was written came back otherwise"
        except UserError as error:
            problem = str(error)
        self._decodes = True
        logger.warning("%s: is damaged and cannot be made anew; damaged images are decoded (%s)", self.raw, problem)
        return self._decoded(index)

    def _map(self, tell: Callable[[Path], None] = lambda damaged: None) -> _Map | None:
        """The finished cache of these files, or None where there is none, or no whole one: then `tell` is called."""
        try:
            written = self.index.read_bytes()
        except OSError:
            return None
        try:
            index = json.loads(written)
            if index.pop("sha256") != _signature(index) or index["key"] != self.key:
                raise ValueError
            places = [(int(offset), int(height), int(width)) for offset, height, width in index["places"]]
            if self.raw.stat().st_size != sum(height * width * 3 for _, height, width in places):
                raise ValueError
            return _Map(np.memmap(self.raw, np.uint8, "r").view(np.ndarray), places, index["sums"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            tell(self.index)
            return None

    def _make_once(self, good: Callable[[_Map], bool]) -> _Map:
        """Make the cache, unless another process has meanwhile made one that is `good`."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # pictures may be private
            with _locked(self.folder / "lock"):
                mapped = self._map(_tell_damage)
                damaged = mapped is not None and not good(mapped)
                if damaged:
                    _tell_damage(self.raw)
                if mapped is None or damaged:
                    self._make(in_use=damaged)
                    mapped = self._map()
        except OSError as error:
            way_out = "set TOOLBOX_CACHE to a folder that can, or write cache: false"
            raise UserError(f"{self.folder}: cannot be written: {error.strerror or error}; {way_out}") from error
        if mapped is None:
            raise UserError(f"{self.folder}: the cache was removed while it was made; start again")
        return mapped

    def _make(self, *, in_use: bool) -> None:
        """Decode everything, on all cores; the index comes last, so that a cache with an index is whole.

        One that is `in_use` stays until then: unlinked it would free no room, and be missed if there is none.
        """
        for old in () if in_use else self.folder.iterdir():  # of other contents, damaged, or left by a killed process
            if old.suffix in (".raw", ".json", ".partial"):
                with suppress(OSError):
                    old.unlink()
        writing = threading.Lock()
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            sizes = [3 * pixels for pixels in pool.map(count_pixels, self.paths)]
            self._check_room(sum(sizes))
            offsets = list(accumulate(sizes, initial=0))
            with whole(self.raw) as file:

                def store(number: int) -> tuple[Place, int]:
                    image = self._decoded(number, sizes[number])
                    with writing:
                        file.seek(offsets[number])
                        file.write(image.data)
                    return (offsets[number], image.shape[0], image.shape[1]), zlib.crc32(image.data)

                stored, told = [], time.monotonic()
                for each in pool.map(store, range(len(self.paths))):
                    stored.append(each)
                    if time.monotonic() - told > TOLD:
                        told = time.monotonic()
                        logger.warning("%s: %d of %d images are done", self.root, len(stored), len(self.paths))
        places, sums = zip(*stored, strict=True) if stored else ((), ())
        index = {"key": self.key, "files": self.files, "places": places, "sums": sums}
        replace_text(self.index, json.dumps({**index, "sha256": _signature(index)}))

    def _check_room(self, size: int) -> None:
        """Tell what the cache will take, or refuse it."""
        free = shutil.disk_usage(self.folder).free
        need, have = f"{size / 1e6:,.1f} MB", f"{free / 1e6:,.1f} MB"
        if size > free:
            way_out = "set TOOLBOX_CACHE to a folder with more room, or write cache: false"
            raise UserError(f"{self.folder}: the cache of {self.root} needs {need}, and {have} are free; {way_out}")
        # A warning, because gigabytes in someone's home should be told even where nobody set up logging.
        count = len(self.paths)
        doing = "making" if self.making else "decoding"
        logger.warning("%s: %s %d images once into %s: %s of %s free", self.root, doing, count, self.folder, need, have)

    def _decoded(self, number: int, size: int | None = None) -> np.ndarray:
        path = self.paths[number]
        image = read_image(path)
        if size not in (None, image.size) or self._file(path) != self.files[number]:
            raise UserError(f"{path}: changed while the images were read; start again")
        if self.making is None:
            return image
        made = self.making.make(image, path)
        if made.shape != image.shape or made.dtype != image.dtype:
            raise UserError(f"{path}: what is kept of it must be as large as it is, got {made.shape} of {image.shape}")
        return np.ascontiguousarray(made)

    def _file(self, path: Path) -> File:
        try:
            state = path.stat()
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}") from None
        return path.relative_to(self.root).as_posix(), state.st_size, state.st_mtime_ns


def _tell_damage(file: Path) -> None:
    logger.warning("%s: the image cache is damaged; it is made anew", file)


def _signature(index: dict[str, Any]) -> str:
    """SHA-256 of an index, as its text is written and read."""
    return hashlib.sha256(json.dumps(index).encode()).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file, which the system frees even when the process is killed.

    Windows and some network file systems have no such locks. There several processes may each make the cache; since
    files are replaced whole, that costs time only.
    """
    with path.open("ab") as file:
        if lock(file) is False:
            logger.info("%s: waiting for the process that makes the cache", path.parent)
            lock(file, wait=True)
        yield

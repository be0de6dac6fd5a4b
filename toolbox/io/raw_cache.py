"""The decoded images of a folder in one raw file: made once, then mapped into memory by every process and every run.

Decoding a 2K PNG takes about 70 ms; a crop from the map touches its own pages only.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.io.cache import cache_folder
from toolbox.io.errors import UserError
from toolbox.io.images import count_pixels, read_image

VERSION = 1
logger = logging.getLogger("toolbox")

File = tuple[str, int, int]
"""What tells that a file is still the same: its path below the root, its size, its time of change in nanoseconds."""
Place = tuple[int, int, int]
"""Where an image lies: its offset in bytes, its height and its width."""


class RawCache:
    """The images `paths`, all below `root`, decoded into one file of uint8 RGB and a JSON index beside it.

    The cache lives in a folder of its own for each root below `folder`, by default `cache_folder()`. It belongs to
    exactly these files: whatever is added, removed or changed makes it anew, and so does a damaged cache. Processes
    that start together make it once. Instances can be pickled; each process maps the file itself, at its first read.
    """

    def __init__(self, paths: Sequence[Path], root: Path, folder: Path | None = None) -> None:
        self.paths, self.root = list(paths), root
        self.files = [self._file(path) for path in self.paths]
        self.key = hashlib.sha256(json.dumps([VERSION, self.files]).encode()).hexdigest()
        place = root.resolve()
        name = f"{place.name[:40]}-{hashlib.sha256(os.fsencode(place)).hexdigest()[:16]}"
        self.folder = (folder or cache_folder()) / "images" / name
        self.raw, self.index = self.folder / f"{self.key[:16]}.raw", self.folder / f"{self.key[:16]}.json"
        self._mapped: tuple[np.ndarray, list[Place]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}  # a copy of the map would be a copy of the data set

    def __len__(self) -> int:
        return len(self.paths)

    def prepare(self) -> None:
        """Map the cache, made first if need be. Raises UserError for a damaged image, or where there is no room."""
        self._mapped = self._mapped or self._map() or self._make_once()

    def size(self, index: int) -> tuple[int, int]:
        """Height and width of image `index`."""
        if self._mapped is None:
            self.prepare()
        assert self._mapped is not None
        return self._mapped[1][index][1:]

    def read(self, index: int) -> np.ndarray:
        """Image `index` as a read-only view (H, W, 3) uint8 RGB: only what is sliced out of it is read from disk."""
        if self._mapped is None:
            self.prepare()
        assert self._mapped is not None
        data, places = self._mapped
        offset, height, width = places[index]
        return data[offset : offset + height * width * 3].reshape(height, width, 3)

    def _map(self) -> tuple[np.ndarray, list[Place]] | None:
        """The finished cache of these files, or None where there is none, or no whole one."""
        try:
            index = json.loads(self.index.read_bytes())
            places = [(int(offset), int(height), int(width)) for offset, height, width in index["places"]]
            ends = [0, *(offset + height * width * 3 for offset, height, width in places)]
            follow = all(place[0] == end for place, end in zip(places, ends, strict=False))
            whole = follow and len(places) == len(self.paths) and self.raw.stat().st_size == ends[-1]
            if not whole or index["key"] != self.key:
                return None
            return np.memmap(self.raw, np.uint8, "r").view(np.ndarray), places
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def _make_once(self) -> tuple[np.ndarray, list[Place]]:
        """Make the cache, unless another process makes it meanwhile."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # pictures may be private
            with _locked(self.folder / "lock"):
                mapped = self._map()
                if mapped is None:
                    self._make()
                    mapped = self._map()
        except OSError as error:
            way_out = "set TOOLBOX_CACHE to a folder that can, or write cache: false"
            raise UserError(f"{self.folder}: cannot be written: {error.strerror or error}; {way_out}") from error
        if mapped is None:
            raise UserError(f"{self.folder}: the cache was removed while it was made; start again")
        return mapped

    def _make(self) -> None:
        """Decode everything, on all cores; the index comes last, so that a cache with an index is whole."""
        for old in self.folder.iterdir():  # of other contents, damaged, or left by a process that was killed
            if old.suffix in (".raw", ".json", ".partial"):
                with suppress(OSError):
                    old.unlink()
        partial = self.folder / f"{uuid.uuid4().hex}.partial"
        writing = threading.Lock()
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            sizes = [3 * pixels for pixels in pool.map(count_pixels, self.paths)]
            self._check_room(sum(sizes))
            offsets = list(accumulate(sizes, initial=0))
            try:
                with partial.open("wb") as file:

                    def store(number: int) -> Place:
                        image = self._decoded(number, sizes[number])
                        with writing:
                            file.seek(offsets[number])
                            file.write(image.data)
                        return offsets[number], image.shape[0], image.shape[1]

                    places = list(pool.map(store, range(len(self.paths))))
                    file.flush()
                    os.fsync(file.fileno())  # sizes alone tell later whether the file is whole
                os.replace(partial, self.raw)
                partial.write_text(json.dumps({"key": self.key, "files": self.files, "places": places}))
                os.replace(partial, self.index)
            finally:
                partial.unlink(missing_ok=True)

    def _check_room(self, size: int) -> None:
        """Tell what the cache will take, or refuse it."""
        free = shutil.disk_usage(self.folder).free
        need, have = f"{size / 1e6:,.1f} MB", f"{free / 1e6:,.1f} MB"
        if size > free:
            way_out = "set TOOLBOX_CACHE to a folder with more room, or write cache: false"
            raise UserError(f"{self.folder}: the cache of {self.root} needs {need}, and {have} are free; {way_out}")
        # A warning, because gigabytes in someone's home should be told even where nobody set up logging.
        count = len(self.paths)
        logger.warning("%s: decoding %d images once into %s: %s of %s free", self.root, count, self.folder, need, have)

    def _decoded(self, number: int, size: int) -> np.ndarray:
        path = self.paths[number]
        image = read_image(path)
        if image.size != size or self._file(path) != self.files[number]:
            raise UserError(f"{path}: changed while the images were read; start again")
        return image

    def _file(self, path: Path) -> File:
        try:
            state = path.stat()
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}") from None
        return path.relative_to(self.root).as_posix(), state.st_size, state.st_mtime_ns


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file, which the system frees even when the process is killed.

    Windows and some network file systems have no such locks. There several processes may each make the cache; since
    files are replaced whole, that costs time only.
    """
    with path.open("ab") as file:
        with suppress(ImportError, OSError):
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                logger.info("%s: waiting for the process that makes the cache", path.parent)
                fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""Files that are opened and files that are written, each in this one place: regular ones, and whole or not there."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from toolbox.io.errors import RunFailed, UserError

try:
    import fcntl
except ImportError:  # Windows has other locks
    fcntl = None

_PARTIAL = re.compile(r"\.(?:.+\.)?[0-9a-f]{32}\.partial|\.(?:iter|best)_.+\.pth(?:\.sha256)?\.\d+\.part")
"""What `whole` writes to, and versions before 0.2 wrote to."""
_DAY = 86_400.0

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def special_kind(path: Path) -> str | None:
    """What a path leads to that is neither a file nor a folder: `a pipe`, `a link that leads back to itself`, …

    None for files and folders, and for what is not there.
    """
    try:
        mode = path.stat().st_mode
    except RuntimeError:
        return "a link that leads back to itself"
    except OSError as error:
        return "a link that leads back to itself" if "symbolic links" in str(error.strerror) else None
    return next((name for is_of, name in _KINDS if is_of(mode)), None)


def refuse_special(path: Path) -> None:
    """Refuse what reading would wait for without end, or what is no file at all.

    Raises:
        UserError: the path is a pipe, a socket, a device, or a link that leads back to itself.
    """
    if kind := special_kind(path):
        raise UserError(f"{path}: is {kind}, and a file is wanted here")


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading; never waits, as opening a pipe would.

    Raises:
        UserError: the path is a pipe, a socket, a device, or a link that leads back to itself.
        OSError: it is missing, a folder, or cannot be read.
    """
    refuse_special(path)
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):  # a folder, or it was exchanged meanwhile
            refuse_special(path)
            raise IsADirectoryError(21, "Is a directory", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open_regular(path) as file:
        hashing = hashlib.sha256()
        while block := file.read(1 << 20):
            hashing.update(block)
    return hashing.hexdigest()


def read_json(path: Path, way_out: str = "remove it to have it made anew") -> dict[str, Any]:
    """A JSON object, as this toolbox writes it.

    Raises:
        UserError: it is no file, or holds something else.
        OSError: it is missing, a folder, or cannot be read.
    """
    with open_regular(path) as file:
        content = file.read()
    try:
        found = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path}: is damaged: cannot be read as JSON ({reason}); {way_out}") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: is damaged: holds a {type(found).__name__}; {way_out}")
    return found


class NotWritten(RunFailed, OSError):
    """A file could not be written: one line that names it. What stood in its place is as it was."""

    def __init__(self, path: Path | str, error: BaseException) -> None:
        self.reason = str(getattr(error, "strerror", None) or "") or " ".join(str(error).split())[:160]
        self.message = f"{path}: could not be written ({self.reason or type(error).__name__})"
        super().__init__(self.message)
        self.errno, self.strerror = getattr(error, "errno", None), self.reason

    def __str__(self) -> str:
        """The line, where an OSError would put its number first."""
        return self.message


def full_disk(error: OSError) -> str | None:
    """What to say of an error that says that there is no room; None of any other."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return str(NotWritten(str(error.filename or "a file"), error)) if full else None


class WholeFile(io.BufferedRandom):
    """A file that keeps its number to itself: Pillow's encoders, given one, take a full disk for a success."""

    def fileno(self) -> int:
        """Refused, so that everything is written through this object."""
        raise io.UnsupportedOperation("write through the object")

    def sync(self) -> None:
        """Wait until the disk has what was written."""
        self.flush()
        os.fsync(self.raw.fileno())


@contextmanager
def whole(path: Path, *, durable: bool = True) -> Iterator[WholeFile]:
    """Give a file to write, which takes the place of `path` once it is whole; parent folders are made.

    All files of the toolbox that are seen under their final name come from here. Meanwhile it is called
    `.<32 hexadecimal digits>.partial`, in the same folder, and locked, so that `sweep` knows it from those that a
    killed process left; the first file in a folder removes these. `durable` waits until the disk has it: without, a
    machine that loses power may have an empty file.

    Raises:
        NotWritten: the disk is full, or refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(path.parent.absolute())
        partial, file = _new_partial(path.parent)
    except FileExistsError as error:  # so mkdir says of a file where a folder is wanted
        raise NotWritten(path, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))) from error
    except OSError as error:
        raise NotWritten(path, error) from error
    try:
        try:
            yield file
            file.sync() if durable else file.flush()
            if fcntl is None:  # Windows replaces nothing that is open; elsewhere it stays locked until then
                file.close()
            os.replace(partial, path)
        except OSError as error:
            raise error if isinstance(error, NotWritten) else NotWritten(path, error) from error
    finally:
        for tidy in (file.close, partial.unlink):
            with suppress(OSError):  # closing writes what is left, and the disk may be full; what was replaced is gone
                tidy()


def lock(file: Any, *, wait: bool = False) -> bool | None:
    """Lock an open file until it is closed or the process ends, however that happens; tells whether it is ours now.

    None where there are no such locks: on Windows, and on some network disks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _new_partial(folder: Path) -> tuple[Path, WholeFile]:
    """A new file of a name of its own, locked."""
    while True:
        partial = folder / f".{uuid.uuid4().hex}.partial"
        file = WholeFile(io.FileIO(partial, "x+"))
        try:
            lock(file.raw, wait=True)
            if fcntl is None or os.fstat(file.raw.fileno()).st_nlink or partial.exists():
                return partial, file
        except BaseException:
            file.close()
            partial.unlink(missing_ok=True)
            raise
        file.close()  # somebody swept it before it was locked


def sweep(folder: Path) -> None:
    """Remove the unfinished files that killed processes left in a folder: those of `whole` that nobody has locked.

    Where the disk knows no locks, those that nobody has written to for a day. What cannot be looked at stays.
    """
    with suppress(OSError):
        for name in [entry.name for entry in os.scandir(folder) if _PARTIAL.fullmatch(entry.name)]:
            with suppress(OSError, UserError):
                _remove_left(folder / name)


_sweep_once = lru_cache(1024)(sweep)


def _remove_left(partial: Path) -> None:
    with open_regular(partial) as file:
        if not stat.S_ISREG(partial.lstat().st_mode):
            return
        held = lock(file)
        if held is False or (held is None and time.time() - os.fstat(file.fileno()).st_mtime < _DAY):
            return
        if fcntl is not None:  # while it is locked, so that its writer cannot begin with it
            partial.unlink(missing_ok=True)
            return
    partial.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Write a small text file whole or not at all, in UTF-8; stray bytes of a path in it become escapes.

    Raises:
        NotWritten: the disk is full, or refuses.
    """
    with whole(path) as file:
        file.write(text.encode(errors="backslashreplace"))


def append_text(path: Path, text: str) -> None:
    """Add to a file of lines; where there is no room for all of it, the file is as it was.

    Raises:
        NotWritten: the disk is full, or refuses.
    """
    try:
        with open(path, "ab", buffering=0) as file:
            before, data = file.tell(), text.encode(errors="backslashreplace")
            try:
                while data:  # what fits is written, and the rest refused by the next attempt
                    data = data[file.write(data) :]
            except OSError:
                file.truncate(before)
                raise
    except OSError as error:
        raise NotWritten(path, error) from error

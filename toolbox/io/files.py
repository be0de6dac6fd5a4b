"""Opening what a user names, and writing small text files: the one place where input files are opened."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from toolbox.io.errors import UserError

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


def read_json(path: Path) -> dict[str, Any]:
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
        raise UserError(
            f"{path}: is damaged: cannot be read as JSON ({reason}); remove it to have it made anew"
        ) from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: is damaged: holds a {type(found).__name__}; remove it to have it made anew")
    return found


def replace_text(path: Path, text: str) -> None:
    """Write a small text file whole or not at all, in UTF-8; stray bytes of a path in it become escapes."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

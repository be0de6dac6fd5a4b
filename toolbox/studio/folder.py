"""The private folder of a studio: made when it starts, gone when it ends, and swept by the next if it was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "gan-toolbox-studio-"
LOCK = ".lock"


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that this account alone may open; everything in it goes at the end."""
    parent = Path(tempfile.gettempdir())
    sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    try:
        with open(folder / LOCK, "w", encoding="ascii") as file:
            _lock(file.fileno())
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Remove the folders of studios that were killed: ours, and locked by nobody."""
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            if folder.is_symlink() or not hasattr(os, "getuid") or folder.stat().st_uid != os.getuid():
                continue
            with open(folder / LOCK, "r+", encoding="ascii") as file:
                if not _lock(file.fileno()):
                    continue
        except OSError:  # it is just being made, or removed
            continue
        shutil.rmtree(folder, ignore_errors=True)


def _lock(number: int) -> bool:
    """Lock a file; whether nobody else had."""
    try:
        import fcntl

        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True

"""One training in a work folder at a time: two would overwrite each other's checkpoints."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from toolbox.io.errors import UserError
from toolbox.io.files import NotWritten

LOCK = ".lock"
"""In the work folder: who trains there. It stays, and is free as soon as that process has ended."""
LAUNCHED = "under torchrun"
"""Said in the lock of a run that torchrun has started: a signal to one of its processes would end all on the spot."""
logger = logging.getLogger("toolbox")


@contextmanager
def claimed(work_dir: Path, *, rank: int = 0) -> Iterator[None]:
    """Have the work folder for this run alone; rank 0 has it for all ranks.

    The system frees the lock with the process, however that ends, and a data loader's worker that outlives it for a
    moment does not hold it. Where the disk knows no locks this is told, and nothing is refused.

    Raises:
        UserError: another process trains here, named by its id, its machine and its start.
    """
    if rank != 0:
        yield
        return
    is_new = not work_dir.exists()
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        file = open(work_dir / LOCK, "a+", encoding="utf-8")  # noqa: SIM115 (it is held below)
    except OSError:  # who checks the folder says it better
        yield
        return
    with file:
        try:
            import fcntl

            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # both are what a lock of somebody else's is called
            message = f"{owner_of(file)} is training here; wait for it, or choose another with --work-dir"
            raise UserError(f"work_dir {work_dir}: {message}") from None
        except (ImportError, OSError):
            logger.warning("%s: this disk knows no locks: a second run here would not be noticed", work_dir)
        try:
            sign(file, work_dir / LOCK)
            yield
        finally:
            # a run that was refused leaves nothing; a folder that somebody removed meanwhile is no second mistake
            if is_new and work_dir.is_dir() and [path.name for path in work_dir.iterdir()] == [LOCK]:
                (work_dir / LOCK).unlink()
                work_dir.rmdir()


def sign(file: TextIO, path: Path) -> None:
    """Say in a lock's file who has it. Raises NotWritten where the disk refuses."""
    others = f" {LAUNCHED}" if "TORCHELASTIC_RUN_ID" in os.environ else ""
    start = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    try:
        file.truncate(0)  # and nothing is buffered, which would be written, and fail, when it is closed
        os.write(file.fileno(), f"process {os.getpid()} on {socket.gethostname()}{others}, started {start},\n".encode())
    except OSError as error:
        raise NotWritten(path, error) from error


def owner_of(file: TextIO) -> str:
    """Who has the lock of a file, in words."""
    file.seek(0)
    return file.read(200).strip() or "another process"

"""Who trains in a folder, by the lock that a training holds there, and how it is asked to save and stop."""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from toolbox.engine.claim import LOCK
from toolbox.io.errors import UserError

_FLOCK = "@hhqqi"
"""Linux's `struct flock` of 64 bits: type, whence, start, length, process."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a run's lock.

    Args:
        process: its number; None of a process on another machine.
        cannot: why it cannot be asked to stop from here; empty where it can.
    """

    process: int | None
    cannot: str = ""

    @property
    def can_stop(self) -> bool:
        """Whether it can be asked to stop from here."""
        return not self.cannot


def holder_of(folder: Path) -> Holder | None:
    """Who trains in a folder now; None where nobody does, or this system cannot tell.

    The system itself says which process holds the lock, so that a number that was written down long ago, and is
    another process's today, stops nobody.
    """
    if not sys.platform.startswith("linux"):
        return None
    import fcntl

    try:
        with open(folder / LOCK, "r+", encoding="utf-8", errors="replace") as file:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0).ljust(32, b"\0")
            found = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked)[: struct.calcsize(_FLOCK)])
            said = file.read(200)
    except (OSError, ValueError):
        return None
    if found[0] == fcntl.F_UNLCK:
        return None
    process = found[4]
    if process <= 0 or f"process {process} on {socket.gethostname()}," not in said:
        return Holder(None, "it runs on another machine")
    if _launched(process):
        return Holder(process, "torchrun started it with others; stop torchrun itself")
    return Holder(process)


def stop(folder: Path) -> None:
    """Have a training end its iteration, save and stop, as Ctrl-C does. Raises UserError where it cannot be asked."""
    holder = holder_of(folder)
    if holder is None:
        raise UserError("nobody trains there now")
    if holder.process is None or not holder.can_stop:
        raise UserError(f"this training cannot be stopped from here: {holder.cannot}")
    try:
        os.kill(holder.process, signal.SIGTERM)
    except ProcessLookupError:
        raise UserError("the training has just ended") from None
    except PermissionError:
        raise UserError("this training is another account's; it cannot be stopped from here") from None


def _launched(process: int) -> bool:
    """Whether torchrun started a process, which a signal would end on the spot."""
    try:
        return b"TORCHELASTIC_RUN_ID=" in Path(f"/proc/{process}/environ").read_bytes()
    except OSError:
        return True  # another account's: better not

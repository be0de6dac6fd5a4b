"""Who trains in a folder, by the lock that a training holds there, and how it is asked to save and stop."""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from toolbox.engine.claim import LAUNCHED, LOCK
from toolbox.io.errors import UserError

_LINUX = ("@hhqqi", ("type", "whence", "start", "length", "process"))
_BSD = ("@qqihh", ("start", "length", "process", "type", "whence"))
"""`struct flock` of 64 bits, of Linux and of macOS, whose other systems of Berkeley's agree with."""
_SIZE = 32
"""Bytes that are asked with; FreeBSD's has one number more at its end."""


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


def tells() -> bool:
    """Whether this system says which process holds a lock: all but Windows do."""
    return find_spec("fcntl") is not None


def holder_of(folder: Path) -> Holder | None:
    """Who trains in a folder now; None where nobody does, or this system cannot tell.

    The system itself says which process holds the lock, so that a number that was written down long ago, and is
    another process's today, stops nobody.
    """
    if not tells():
        return None
    import fcntl

    form, names = _LINUX if sys.platform.startswith("linux") else _BSD
    wanted = {"type": fcntl.F_WRLCK, "whence": os.SEEK_SET}
    asked = struct.pack(form, *(wanted.get(name, 0) for name in names)).ljust(_SIZE, b"\0")
    try:
        with open(folder / LOCK, "r+", encoding="utf-8", errors="replace") as file:
            answer = fcntl.fcntl(file, fcntl.F_GETLK, asked)
            said = file.read(200)
    except (OSError, ValueError):
        return None
    found = dict(zip(names, struct.unpack(form, answer[: struct.calcsize(form)]), strict=True))
    if found["type"] == fcntl.F_UNLCK:
        return None
    process = found["process"]
    here = f"process {process} on {socket.gethostname()}"
    if process <= 0 or not said.startswith((f"{here},", f"{here} {LAUNCHED},")):
        return Holder(None, "it runs on another machine")
    if said.startswith(f"{here} {LAUNCHED},"):
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

"""What the system lets a process have (`ulimit`): too little is told in one line, before or when it runs out."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from toolbox.io.errors import UserError

FILES, ADDRESSES = 64, 1 << 30
"""What a command that computes wants at least: a handle for each library, worker and picture, and room for torch."""
LISTING = ("plugins", "models", "doctor", "help")
"""Commands that do with less."""


@contextmanager
def limits_told(command: str) -> Iterator[None]:
    """Refuse limits that are too small for a command, and say which limit was met.

    Raises:
        UserError: the limit, and the command that shows it.
    """
    if sys.platform == "win32":
        yield
        return
    import resource

    files, addresses = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS))
    if command not in LISTING and 0 <= files < FILES:
        raise UserError(f"this process may open {files} files, and needs {FILES}; raise it with ulimit -n")
    if command not in LISTING and 0 <= addresses < ADDRESSES:
        room = f"{addresses / 1e9:.1f} GB of memory addresses, and needs {ADDRESSES / 1e9:.1f} GB to begin"
        raise UserError(f"this process may have {room}; raise it with ulimit -v")
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        message = f"this process may open {files} files, and wanted more; raise it with ulimit -n, or use less workers"
        raise UserError(message) from error

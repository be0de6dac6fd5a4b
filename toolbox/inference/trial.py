"""Files of other runtimes, tried in a process of their own before they are opened here.

Runtimes are large programs in C++ that read what anybody may have written: a file can make them crash, fill memory or
never end. A child process, with limits, finds out; what passed once is known by its SHA-256.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

from toolbox.io.apart import apart
from toolbox.io.cache import cache_folder
from toolbox.io.errors import UserError
from toolbox.io.files import file_hash
from toolbox.plugins.manager import manager

SECONDS = 120
"""Of a processor; as many of the clock."""


def try_apart(file: Path, runtime: str) -> None:
    """Open a file in a child process, and compute a small image with it, unless that was done before.

    Raises:
        UserError: it is refused there, crashes, or takes too much time or memory.
    """
    known = _place(file, runtime)
    if known is not None and known.is_file():
        return
    command = apart("toolbox.inference.trial_process", runtime, str(file))
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False, env={**os.environ, **_plugins()}
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{file}: {runtime} did not open it within {SECONDS} seconds; refused") from None
    said = done.stderr.strip().splitlines()
    if done.returncode == 2 and said:
        raise UserError(said[-1])
    if done.returncode:
        raise UserError(
            f"{file}: makes {runtime} end ({_end(done.returncode)}) before it has computed an image; refused"
        )
    if known is not None:
        with suppress(OSError):  # without a cache it is tried again
            known.parent.mkdir(parents=True, exist_ok=True)
            known.touch()


def _plugins() -> dict[str, str]:
    """What brings the plugins that are files, which may hold the runtime, to the process."""
    named = [each for each in os.environ.get("TOOLBOX_PLUGINS", "").split(",") if each]
    return {"TOOLBOX_PLUGINS": ",".join([*named, *map(str, manager().files())])}


def _place(file: Path, runtime: str) -> Path | None:
    try:
        hashes = [file_hash(each)[:32] for each in (file, file.with_suffix(".bin")) if each.is_file()]
        return cache_folder() / "tried" / "-".join([runtime, *hashes])
    except UserError:  # an account without a home
        return None


def _end(code: int) -> str:
    return f"signal {-code}" if code < 0 else "it ran out of memory" if code == 3 else f"code {code}"

"""Keeps freed memory in the process: glibc gives large tensors back to the system at once and fetches them anew."""

from __future__ import annotations

import ctypes
import os
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_BYTES = 1 << 30


def keep_freed_memory() -> bool:
    """Raise glibc's thresholds to 1 GiB; returns whether it was done.

    A CPU training step allocates the same activations again and again; without this, each is mapped and cleared by
    the kernel anew. `TOOLBOX_KEEP_MEMORY=0` leaves malloc as it is, as do other systems and a preloaded allocator.
    """
    wanted = os.environ.get("TOOLBOX_KEEP_MEMORY", "1") != "0" and "LD_PRELOAD" not in os.environ
    if not wanted or platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_MMAP_THRESHOLD, _BYTES)) and bool(libc.mallopt(_TRIM_THRESHOLD, _BYTES))

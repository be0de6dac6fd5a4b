"""How much memory a process keeps: freed tensors for the next ones, and oneDNN's kernels for sizes seen before.

And whether it was memory that ran out.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_BYTES = 1 << 30
_KERNELS = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
TRAINING, APPLYING = 384, 128
"""Kernels kept: a step of RRDBNet has 69, of a U-Net discriminator 76; fewer than a step has would make it slow."""

_RAN_OUT = ("out of memory", "can't allocate memory", "not enough memory", "size calculation overflowed", "bad_alloc")
"""What torch and its libraries say of it, beside Python's MemoryError."""


def ran_out(error: BaseException) -> str | None:
    """Where an error says that memory ran out, on a GPU or a CPU: how much was wanted, in a few words."""
    text = " ".join(str(error).split())
    if not isinstance(error, MemoryError) and not any(each in text.lower() for each in _RAN_OUT):
        return None
    wanted = re.search(r"tried to allocate ([0-9.]+) ?(\w+)", text, re.IGNORECASE)
    if wanted is None:
        return "out of memory"
    size = f"{int(wanted[1]) / 2**30:,.1f} GiB" if wanted[2].startswith("byte") else f"{wanted[1]} {wanted[2]}"
    return f"out of memory, {size} more were wanted"


def bound_kernels(count: int) -> None:
    """Let oneDNN keep the kernels of so many layers and sizes (it would 1024), unless the environment says otherwise.

    On a CPU each new image size makes kernels of its own, a few MB for each layer: a validation over images of many
    sizes fills its cache. oneDNN reads the limit once, at its first kernel, so this comes before any network runs.
    """
    os.environ.setdefault(_KERNELS, str(count))


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

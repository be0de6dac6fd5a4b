"""How much memory a process keeps: freed tensors for the next ones, and oneDNN's kernels for sizes seen before."""

from __future__ import annotations

import ctypes
import os
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_BYTES = 1 << 30
_KERNELS = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
TRAINING, APPLYING = 384, 128
"""Kernels kept: a step of RRDBNet has 69, of a U-Net discriminator 76; fewer than a step has would make it slow."""


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

"""Why a network could not be applied: other channels than it takes, or a device that cannot do it, and the way out."""

from __future__ import annotations

import re

import torch

_SHAPES = re.compile(r"channel|shape|size|dimension|must match|broadcast", re.IGNORECASE)
_DEVICE = re.compile(r"CUDA|cuDNN|cuBLAS|\bHIP\b|\bMPS\b|out of memory|allocate|not implemented for|kernel image", re.I)
_MEMORY = re.compile(r"out of memory|allocate", re.IGNORECASE)
_BUILD = re.compile(r"no kernel image|not compiled|not implemented for", re.IGNORECASE)


def speaks_of_shapes(error: Exception) -> bool:
    """Whether a network was given images of another shape than it takes; a device's own trouble is something else."""
    if isinstance(error, torch.OutOfMemoryError) or _DEVICE.search(str(error)):
        return False
    return isinstance(error, ValueError) or _SHAPES.search(str(error)) is not None


def cause(error: Exception, device: torch.device) -> str:
    """One line: what failed on which device, and what to do about it."""
    text = str(error).strip() or type(error).__name__
    line = " ".join(text.splitlines()[0].split())[:200]
    if isinstance(error, torch.OutOfMemoryError) or _MEMORY.search(text):
        way = "end what else uses its memory, or compute with --device cpu"
        return f"{device}: memory ran out before any picture ({line}); {way}"
    if _BUILD.search(text):
        way = "install a torch that is built for it (https://pytorch.org/get-started/locally), or --device cpu"
        return f"{device}: this torch cannot compute there ({line}); {way}"
    if _DEVICE.search(text):
        way = "see with `gan-toolbox doctor` whether torch and driver fit, or compute with --device cpu"
        return f"{device}: the device failed ({line}); {way}"
    return f"the network fails on a picture ({line}); its plugin or its file is at fault"

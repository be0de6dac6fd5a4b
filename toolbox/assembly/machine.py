"""What a training would run on: cores, memory, and where bfloat16 is computed in hardware."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

_UNITS = {"AVX-512": "_is_avx512_bf16_supported", "AMX": "_is_amx_tile_supported"}
"""What of a processor computes bfloat16, and how torch asks for it."""


@dataclass(frozen=True)
class Machine:
    """What a training would run on."""

    cores: int
    gpu: str = ""
    memory: float = 0.0
    """Of the GPU, in GiB."""
    bfloat16: bool = False
    """Whether hardware computes it."""

    def told(self) -> str:
        """In a few words."""
        where = f"{self.gpu} ({self.memory:.0f} GiB)" if self.gpu else f"{self.cores} CPU core{'s' * (self.cores != 1)}"
        return f"{where}, {'bfloat16 in hardware' if self.bfloat16 else 'no bfloat16 in hardware'}"


def this_machine() -> Machine:
    """The first GPU that torch can use, or else the processor."""
    import torch

    if torch.cuda.is_available():
        device = torch.cuda.get_device_properties(0)
        return Machine(cores(), device.name, device.total_memory / 2**30, gpu_has_bfloat16(device))
    return Machine(cores(), bfloat16=bool(units_of_bfloat16()))


def training_precision(asked: str | None, machine: Machine) -> tuple[str | None, str]:
    """The short type that a training computes in, or None for float32, and a line where that wants a word.

    `auto` is bfloat16 where hardware computes it. A processor that emulates it takes up to forty times as long as in
    float32 (a 3x3 convolution of 48 channels forth and back, AMD EPYC with AVX2, one thread), so what was asked for
    by name is done and told.
    """
    if asked == "auto":
        return ("bfloat16", "") if machine.bfloat16 else (None, f"env_cfg.amp: auto is float32 here: {machine.told()}")
    if asked == "bfloat16" and not machine.bfloat16:
        return asked, f"bfloat16 is emulated here, slowly ({machine.told()}); env_cfg.amp=auto takes float32"
    return asked, ""


def cores() -> int:
    """The cores that this process may use: fewer than there are in a container, or under `taskset`."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def units_of_bfloat16() -> list[str]:
    """What of the processor computes bfloat16; without any it is emulated, which is slower than float32."""
    import torch

    return [name for name, probe in _UNITS.items() if getattr(torch.cpu, probe, lambda: False)()]


def gpu_has_bfloat16(device: Any) -> bool:
    """Whether a GPU computes bfloat16, by what `torch.cuda.get_device_properties` says of it."""
    return device.major >= 8

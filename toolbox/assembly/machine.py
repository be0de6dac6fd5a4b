"""What a training would run on: cores, memory, and where bfloat16 is computed in hardware."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

AUTO = "auto"
"""As `env_cfg.amp`: bfloat16 where hardware computes it."""

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


def precision_of(asked: str | None, machine: Machine) -> str | None:
    """What forward passes compute in where `env_cfg.amp` asks for that; None is the weights' own type."""
    if asked == AUTO:
        return "bfloat16" if machine.bfloat16 else None
    return asked


def emulation_told(asked: str | None, machine: Machine) -> str | None:
    """What to say of bfloat16 that was asked for where it only costs time; None where all is well."""
    if asked != "bfloat16" or machine.bfloat16:
        return None
    what = machine.gpu or "this processor"
    return (
        f"{what} only emulates bfloat16, which takes longer than float32: env_cfg.amp=null is faster here, and "
        "env_cfg.amp=auto where hardware computes it as well"
    )

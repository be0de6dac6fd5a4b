"""How much memory there is for pictures, on a GPU and on the machine."""

from __future__ import annotations

import time
from functools import lru_cache

import torch


def free_memory(device: torch.device) -> int:
    """Bytes that can be had now: of the GPU, or of the machine and the control group that this process is in.

    The machine is asked ten times a second at the most: its answer takes as long as a small network. On a GPU that is
    what no process has, and what this one's allocator holds and does not use: without it, a picture would be whole at
    first and cut into tiles when its like comes again.
    """
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return _of_the_machine(int(time.monotonic() * 10))


@lru_cache(maxsize=1)
def _of_the_machine(tick: int) -> int:
    """As of this tenth of a second."""
    free: list[int] = []
    try:
        with open("/proc/meminfo") as file:
            free += [int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable")]
        with open("/sys/fs/cgroup/memory.max") as limit, open("/sys/fs/cgroup/memory.current") as used:
            free.append(int(limit.read()) - int(used.read()))
    except (OSError, ValueError):  # another system, no control group, or one without a limit
        pass
    return min(free, default=4 << 30)


def addresses_left() -> list[int]:
    """Bytes that `ulimit -v` leaves this process; nothing where there is no such limit.

    What was freed and is kept for the next picture is not counted: tiles go by what can be had, and are halved.
    """
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        with open("/proc/self/statm") as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError, ValueError):  # another system
        return []
    return [] if limit == resource.RLIM_INFINITY else [max(0, limit - taken)]

"""Keeps an encoder from claiming the machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def ordinary_threads() -> Iterator[None]:
    """Threads are scheduled as before, whatever a library asks for in between.

    SVT-AV1, where root runs it, as in most containers, gives its own threads and the one that opens it the highest
    real-time priority, for good, and processes that start from there inherit it. While they compute, nothing else on
    the machine has a turn.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    before, settings = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if before not in (os.SCHED_FIFO, os.SCHED_RR):
            for thread in os.listdir("/proc/self/task"):
                with suppress(OSError):  # it has just ended
                    if os.sched_getscheduler(int(thread)) in (os.SCHED_FIFO, os.SCHED_RR):
                        os.sched_setscheduler(int(thread), before, settings)

"""Encoders leave the machine to others: SVT-AV1, where root runs it, would take it all."""

from __future__ import annotations

import os
import sys
import threading
from fractions import Fraction

import numpy as np
import pytest

from toolbox.video.colours import Colours
from toolbox.video.encoding import Encoder, Writing
from toolbox.video.scheduling import ordinary_threads

pytest.importorskip("av")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone tells threads apart")


def policies() -> set[int]:
    """How this process's threads are scheduled."""
    return {os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")}


def test_an_av1_encoder_makes_no_thread_real_time() -> None:
    writing = Writing("av1", ".mkv", 64, 64, "yuv420p", Colours(rgb=True).for_yuv(64), Fraction(1, 25), Fraction(25))
    encoder = Encoder(writing)
    for number in range(3):
        list(encoder.encode(np.zeros((64, 64, 3), np.uint8), number, 1))
        assert policies() == {os.SCHED_OTHER}
    list(encoder.end())
    assert policies() == {os.SCHED_OTHER}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone may ask for real time")
def test_what_was_real_time_before_stays_so() -> None:
    found: list[int] = []

    def ask() -> None:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        with ordinary_threads():
            pass
        found.append(os.sched_getscheduler(0))

    def others() -> None:
        with ordinary_threads():
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        found.append(os.sched_getscheduler(0))

    for each in (ask, others):
        thread = threading.Thread(target=each)
        thread.start()
        thread.join()
    assert found == [os.SCHED_FIFO, os.SCHED_OTHER]

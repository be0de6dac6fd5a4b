"""Starts the process of one run and says how it ended; engines differ only in where they do this."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolbox.benchmark.worker import END, PROBE, RESULT, STOPPED
from toolbox.io.apart import apart

LOG = "log.txt"
"""Everything that a run's process said, of all its parts."""
LIVES = 4
"""How often a run may be killed without a new checkpoint: what takes too much memory would be killed for ever."""
PATIENCE = 60.0
"""Seconds that a run has to save itself once it is asked to stop."""


@dataclass(frozen=True)
class Outcome:
    """How a run's process ended: well, stopped before its end, or failed at a stage for a reason."""

    state: str
    """`done`, `stopped` or `failed`."""
    stage: str = ""
    reason: str = ""


KILLED = Outcome("failed", "running", "ended by SIGKILL; the system's memory may have run out")
ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
"""Signals by which somebody ends a run who does not mean that it has failed."""


def launch(
    folder: Path,
    *,
    threads: int,
    minutes: float | None = None,
    probe: bool = False,
    environment: Mapping[str, str] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run the worker of a folder to its end, in a process of its own that ends with this one.

    `stop` is asked every tenth of a second; once it says so, the run is told to save itself and stop. A run that takes
    more than `minutes` has failed. One that somebody kills goes on from its last checkpoint.
    """
    late = None if minutes is None else time.monotonic() + 60 * minutes
    killed, reached = 0, saved(folder)
    while True:
        outcome = _launched(folder, threads, late, probe, environment or {}, stop)
        if outcome is None:
            return Outcome("failed", "training", f"took more than {minutes:g} minutes")
        if outcome != KILLED:
            return outcome
        before, reached = reached, saved(folder)
        killed = killed + 1 if reached == before else 1
        if killed == LIVES:
            return outcome


def saved(folder: Path) -> frozenset[str]:
    """What a run has to go on from."""
    return frozenset(path.name for path in (*folder.glob("train/iter_*.pth"), *folder.glob("test/report.json")))


def _launched(
    folder: Path,
    threads: int,
    end: float | None,
    probe: bool,
    environment: Mapping[str, str],
    stop: Callable[[], bool],
) -> Outcome | None:
    """One process of a run; None: it was not done at `end`."""
    command = apart("toolbox.benchmark.worker", str(folder), *(["--probe"] if probe else []))
    settings = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1", **environment}
    asked: float | None = None
    late = False
    with (
        open(folder / LOG, "a") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=settings, start_new_session=True
        ) as process,
    ):
        while process.poll() is None:
            now = time.monotonic()
            late = late or (end is not None and now > end)
            if asked is None and (late or stop()):
                asked = now
                process.terminate()
            elif asked is not None and now - asked > PATIENCE:
                process.kill()
            time.sleep(0.1)
    return None if late else ended(folder, process.returncode, probe=probe, stopped=asked is not None)


def ended(folder: Path, code: int, *, probe: bool, stopped: bool) -> Outcome:
    """What an exit code and the files of a folder say together."""
    if code == 0:
        return Outcome("done" if (folder / (PROBE if probe else RESULT)).is_file() else "stopped")
    if stopped or code == STOPPED or -code in ENDINGS:
        return Outcome("stopped", "running", "somebody asked it to stop")
    if (folder / END).is_file():
        said = json.loads((folder / END).read_text())
        return Outcome("failed", said["stage"], said["reason"])
    if code < 0:
        if -code == signal.SIGKILL:
            return KILLED
        return Outcome("failed", "running", f"ended by {signal.Signals(-code).name}")
    return Outcome("failed", "running", f"exit code {code}; {folder / LOG} says more")

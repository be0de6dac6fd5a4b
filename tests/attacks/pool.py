"""Processes that try cases, under a watchdog: what hangs, dies or takes all memory ends one case, not the night."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from attacks import attack_on
from attacks.attack import MEMORY, SECONDS, Attack, Outcome, tried

ADDRESSES = 12 << 30
"""Bytes of addresses that a worker may take, so that nobody's machine is brought down between two looks at it."""
PREPARING = 300.0
"""Seconds in which whole files are made."""
LOOK = 0.2
CONTEXT = "spawn"
"""How workers start: from nothing, so that none inherits what another has imported."""
Case = tuple[str, int]
"""A kind, and the number of a case of it."""


class Worker:
    """A process that tries one case at a time, each in an emptied folder."""

    def __init__(self, seed: int, place: Path) -> None:
        self.place = Path(tempfile.mkdtemp(dir=place))
        context: Any = multiprocessing.get_context(CONTEXT)
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, seed, self.place), daemon=True)
        self.process.start()
        theirs.close()
        self.case: Case | None = None
        self.began, self.computed, self.before = 0.0, 0.0, 0
        self.prepared = False

    @property
    def folder(self) -> Path:
        """Where the input of the case lies."""
        return self.place / "case"

    def give(self, case: Case) -> None:
        """Have a case tried."""
        self.case, self.prepared = case, False
        self.began, self.computed = time.monotonic(), _computed(self.process.pid)
        self.pipe.send(case)

    def heard(self) -> Outcome | None:
        """What the process says: the outcome, or None where it has only made its whole files."""
        try:
            said = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(10)
            return Outcome("failed", f"the process died with {self.process.exitcode}")
        if isinstance(said, Outcome):
            return said
        self.prepared, self.before = True, said
        self.began, self.computed = time.monotonic(), _computed(self.process.pid)
        return None

    def problem(self) -> str | None:
        """What is wrong with a case that goes on."""
        lasting, computed = time.monotonic() - self.began, _computed(self.process.pid) - self.computed
        limit = SECONDS + 1 if self.prepared else PREPARING
        if computed > limit or (lasting > limit and computed < lasting / 10) or lasting > 10 * limit:
            return f"hangs: {lasting:.0f} s, of which it computed {computed:.0f}"
        taken = _held(self.process.pid) - self.before
        return f"took {taken >> 20} MiB and went on" if self.prepared and taken > MEMORY * 1.25 else None

    def end(self) -> None:
        """Kill the process and remove its files."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        shutil.rmtree(self.place, ignore_errors=True)


def outcomes(
    cases: Iterator[Case], seed: int, workers: int, place: Path, until: float | None = None
) -> Iterator[tuple[Case, Outcome, Path]]:
    """Try cases until they or the time end; yields each with its outcome, and where its input lies until the next."""
    working = [Worker(seed, place) for _ in range(workers)]
    try:
        for worker in list(working):
            _give_next(worker, working, cases, until)
        while working:
            ready = wait([worker.pipe for worker in working], timeout=LOOK)
            for worker in list(working):
                outcome = worker.heard() if worker.pipe in ready else None
                problem = None if worker.pipe in ready else worker.problem()
                if problem:
                    outcome = Outcome("failed", problem)
                if outcome is None:
                    continue
                assert worker.case is not None
                yield worker.case, outcome, worker.folder
                if problem or not worker.process.is_alive():
                    worker.end()
                    working[working.index(worker)] = worker = Worker(seed, place)
                _give_next(worker, working, cases, until)
    finally:
        for worker in working:
            worker.end()


def _give_next(worker: Worker, working: list[Worker], cases: Iterator[Case], until: float | None) -> None:
    case = next(cases, None) if until is None or time.monotonic() < until else None
    if case is None:
        working.remove(worker)
        worker.end()
    else:
        worker.give(case)


def _held(process: int | None) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _computed(process: int | None) -> float:
    """Seconds of a processor."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _work(pipe: Connection, seed: int, place: Path) -> None:
    """Try what comes through the pipe; says how much memory is held before each case, and then its outcome."""
    _quiet(place)
    known: dict[str, Attack] = {}
    folder = place / "case"
    while True:
        try:
            kind, number = pipe.recv()
        except EOFError:
            return
        if kind not in known:
            whole = place / kind
            whole.mkdir(exist_ok=True)
            try:
                known[kind] = attack_on(kind)(whole)
            except Exception:
                pipe.send(Outcome("failed", f"whole files could not be made\n{traceback.format_exc()}"))
                continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        pipe.send(_held(os.getpid()))
        pipe.send(tried(known[kind], kind, seed, number, folder))


def _quiet(place: Path) -> None:
    """What libraries write stays here, caches too, and no more addresses than a machine can bear."""
    log: Any = os.open(place / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ["TOOLBOX_CACHE"] = str(place / "cache")
    pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (pages + ADDRESSES, resource.RLIM_INFINITY))

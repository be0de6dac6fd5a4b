"""Processes of the toolbox's, forked off one that has imported it already: a new interpreter takes seconds to.

That one is multiprocessing's fork server. It imports and does nothing else, so what is forked off begins like a new
interpreter. For tests of what a process does, is told, or leaves behind where it is killed; those of how one starts
use `subprocess`.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing.reduction import DupFd
from types import SimpleNamespace, TracebackType
from typing import IO, Any

IMPORTED = (
    "toolbox.assembly.run",
    "toolbox.inference",
    "toolbox.testing.training",
    "torch._dynamo",
    "torch.onnx.ops",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
)
"""What the server imports: what every training needs."""
BOOKS = threading.Lock()
"""Multiprocessing keeps its books of processes for one thread; benchmarks start theirs from several."""


def server() -> Any:
    """The fork server, as a context of multiprocessing's; it starts with the first process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    return context


class Forked:
    """`subprocess.Popen` of `python -m MODULE …` or `python SCRIPT …`, as far as tests and benchmarks use it.

    What goes to a `PIPE` goes to a file, whose writer waits for nobody. Killed on leaving its context.
    """

    def __init__(
        self,
        command: Sequence[object],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        start_new_session: bool = False,
    ) -> None:
        """Start it. `command` begins with this Python; whatever else is as for `Popen`."""
        words = [str(word) for word in command]
        assert words.pop(0) == sys.executable
        words = words[words[0] == "-P" :]  # nobody's folder is on the path of what is forked
        self.returncode: int | None = None
        self.output, self.errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self.input = os.pipe() if stdin == subprocess.PIPE else (os.open(os.devnull, os.O_RDONLY),)
        files = [self.input[0], _number(stdout, self.output), _number(stderr, self.errors)]
        if stderr == subprocess.STDOUT:
            files[2] = files[1]
        self.process = server().Process(
            target=_begin,
            args=(words, dict(env or os.environ), os.getcwd(), list(map(DupFd, files)), start_new_session),
        )
        with BOOKS:
            self.process.start()
        os.close(self.input[0])
        self.pid: int = self.process.pid

    def poll(self) -> int | None:
        """The exit code, -N for signal N; None while it runs."""
        with BOOKS:
            self.returncode = self.process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises TimeoutExpired after `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(0.01)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; returns what it said to `PIPE`s."""
        self.wait(timeout)
        said = []
        for file in (self.output, self.errors):
            file.seek(0)
            said.append(file.read().decode())
        return said[0], said[1]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
        self.wait()
        for pipe in self.input[1:]:
            os.close(pipe)
        self.output.close()
        self.errors.close()


def ran(
    command: Sequence[object], *, env: Mapping[str, str] | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run(command, capture_output=True, text=True)`, forked. Raises TimeoutExpired as that does."""
    with Forked(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        output, errors = process.communicate(timeout)
        return subprocess.CompletedProcess([*map(str, command)], process.wait(), output, errors)


def standing_in() -> Any:
    """For a module's `subprocess`: the same, forked."""
    return SimpleNamespace(
        Popen=Forked, PIPE=subprocess.PIPE, STDOUT=subprocess.STDOUT, TimeoutExpired=subprocess.TimeoutExpired,
        run=lambda command, *, env=None, timeout=None, **_: ran(command, env=env, timeout=timeout),
    )  # fmt: skip


def _number(wanted: int | IO[Any] | None, own: IO[bytes]) -> int:
    return own.fileno() if wanted is None or isinstance(wanted, int) else wanted.fileno()


def _begin(words: list[str], environment: dict[str, str], folder: str, files: list[Any], new_session: bool) -> None:
    """In the process itself: be what the command says."""
    multiprocessing.set_start_method(None, force=True)  # which the server's, for it alone
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, file in enumerate(files):
        received = file.detach()
        os.dup2(received, number)
        os.close(received)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    if new_session:
        os.setsid()
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, os.path.dirname(words[0]))
        runpy.run_path(words[0], run_name="__main__")

"""The one process that computes: started when it is first needed, and anew when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from toolbox.io.apart import apart
from toolbox.studio.messages import packed, receive

PATIENCE = 0.4
"""Seconds that a computation may go on after a stop, to its tile's end; then its process is ended."""
LOOK = 0.1
"""Seconds between two looks whether the process is still there."""
SAID = 2000
"""Bytes kept of what the process last wrote on standard error."""
Order = dict[str, Any]
Tell = Callable[[dict[str, Any]], None]


class WorkerDied(Exception):
    """The process ended while it computed; the message says why, and what helps."""


class Worker:
    """Does one order after the other, in a process of its own.

    Args:
        device: where it computes; empty for a GPU if there is one.
        plugins: names of plugins, as of `-p`.
    """

    def __init__(self, device: str = "", plugins: Sequence[str] = ()) -> None:
        self.device, self.plugins = device, plugins
        self.process: asyncio.subprocess.Process | None = None
        self._busy, self._starting = asyncio.Lock(), asyncio.Lock()
        self.current: str | None = None
        """The order that is being done."""
        self._stopping = False
        self._said = b""
        self._beside: list[asyncio.Task[None]] = []

    async def warm(self) -> asyncio.subprocess.Process:
        """Have the process there; its libraries load while the first order is made up."""
        async with self._starting:
            if self.process is None or self.process.returncode is not None:
                self._said = b""
                self.process = await asyncio.create_subprocess_exec(
                    *apart("toolbox.studio.worker_process", self.device, *self.plugins),
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                    start_new_session=True,  # a Ctrl-C in the terminal is the server's to handle
                )  # fmt: skip
                self._beside = [asyncio.create_task(each(self.process)) for each in (self._listen, self._bury)]
            return self.process

    async def do(
        self, order: Order, tell: Tell, *, seconds: float, wanted: Callable[[], bool] = lambda: True
    ) -> dict[str, Any]:
        """Have an order done; returns the last message, whose `event` is `done`, `failed` or `stopped`.

        Args:
            order: with its `id`, by which `stop` names it.
            tell: hears each message before the last.
            seconds: how long it may take.
            wanted: asked when its turn has come, whether it is still to be done.

        Raises:
            WorkerDied: the process ended, or was ended because the time was up.
        """
        async with self._busy:
            self.current, self._stopping = order["id"], False
            try:
                process = await self.warm()
                if self._stopping or not wanted():
                    return {"event": "stopped"}
                return await asyncio.wait_for(self._done(process, order, tell), seconds)
            except (TimeoutError, asyncio.TimeoutError):
                await self.kill()
                raise WorkerDied(f"it took more than {seconds / 60:.0f} minutes, and was ended") from None
            finally:
                self.current = None

    async def _done(self, process: asyncio.subprocess.Process, order: Order, tell: Tell) -> dict[str, Any]:
        assert process.stdin is not None and process.stdout is not None  # they are pipes
        with suppress(ConnectionError):  # it has ended, which reading tells
            process.stdin.write(packed(order))
            await process.stdin.drain()
        while message := await receive(process.stdout):
            if message.get("id") != order["id"]:
                continue
            if message.get("event") in ("done", "failed", "stopped"):
                return message
            tell(message)
        code = await process.wait()
        if self._stopping:
            return {"event": "stopped"}
        raise WorkerDied(self._why(code))

    async def stop(self, order: str) -> None:
        """Stop the order if it is being done: at its tile's end, or with its process."""
        process = self.process
        if order != self.current:
            return
        self._stopping = True
        if process is None or process.returncode is not None or process.stdin is None:
            return
        with suppress(ConnectionError):
            process.stdin.write(packed({"id": order, "kind": "stop"}))
            await process.stdin.drain()
        for _ in range(int(PATIENCE / 0.02)):
            await asyncio.sleep(0.02)
            if order != self.current:
                return
        await self.kill()

    async def kill(self) -> None:
        """End the process, if there is one."""
        if self.process is not None and self.process.returncode is None:
            end_with_children(self.process)
            await self.process.wait()
        if self._beside:
            await asyncio.wait(self._beside, timeout=1)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while part := await process.stderr.read(4096):
            self._said = (self._said + part)[-SAID:]

    async def _bury(self, process: asyncio.subprocess.Process) -> None:
        """End what the process has begun when it ends by itself: its pipes would stay open, and seem to work on."""
        while process.returncode is None:
            await asyncio.sleep(LOOK)
        end_with_children(process)

    def _why(self, code: int) -> str:
        last = self._said.decode(errors="replace").strip().splitlines()[-1:]
        if code == -signal.SIGKILL or code == 3:
            return "the process that computes was ended, as when memory runs out; it starts anew. A smaller tile or "\
                "output scale needs less"  # fmt: skip
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        return f"the process that computes ended {how}; it starts anew{f' ({last[0][:200]})' if last else ''}"

    @property
    def pid(self) -> int | None:
        """The process's number, while it runs."""
        return self.process.pid if self.process and self.process.returncode is None else None


def end_with_children(process: asyncio.subprocess.Process) -> None:
    """End a process that leads a session, and what libraries have forked in it."""
    with suppress(ProcessLookupError, PermissionError):  # macOS's word for a group of which all have ended
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def be_first_to_go() -> None:
    """Let the system, when memory runs out, end this process rather than others."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("500")


def alone() -> None:
    """Keep no picture of memory where this process crashes."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.setdefault("PYTHONUNBUFFERED", "1")

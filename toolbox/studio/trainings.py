"""Trainings stopped and resumed from the page: on this machine, by whoever may, and told in words."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from toolbox.io.apart import apart
from toolbox.io.errors import UserError
from toolbox.studio import holders
from toolbox.studio.holders import Holder, holder_of
from toolbox.studio.models import newest_checkpoint

MOST = 4
"""Trainings that are resumed from here at a time."""
WAIT = 20.0
"""Seconds that the studio, when it ends, waits for those to save; they save without it as well."""
_SAID = 4000
FORBIDDEN = "trainings are watched alone here; gan-toolbox studio --control lets this page stop and resume them"

UNTOLD = "This system does not tell whether it still trains; Ctrl-C in its terminal saves and stops it."


@dataclass
class Resumed:
    """A training that was resumed from here. No process of asyncio's: those end with its loop, saved or not."""

    process: subprocess.Popen[bytes]
    said: bytes = b""
    """What it last wrote on standard error."""
    stopping: bool = False

    def __post_init__(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self) -> None:
        """Have it end its iteration, save and stop."""
        self.stopping = True
        assert self.process.stdin is not None
        self.process.stdin.close()

    def _listen(self) -> None:
        assert isinstance(self.process.stderr, BufferedReader) and self.process.stdin is not None
        with self.process.stdin, self.process.stderr as heard:
            while part := heard.read1(4096):
                self.said = (self.said + part)[-_SAID:]


class Trainings:
    """Stops trainings, and resumes them in processes that save and stop when the studio ends.

    Args:
        root: where they are resumed, as by hand: paths in configs are relative to it.
        plugins: names, as of `-p`.
        allowed: whether the page may do this.
    """

    def __init__(self, root: Path, plugins: Sequence[str] = (), *, allowed: bool = True) -> None:
        self.root, self.allowed = root, allowed
        self.plugins = [str(Path(name).resolve()) if name.endswith(".py") else name for name in plugins]
        self.resumed: dict[Path, Resumed] = {}
        self.asked: set[Path] = set()
        """Runs that were asked to stop, while they still train."""

    def goes(self, folder: Path) -> bool:
        """Whether a training that was resumed from here goes on."""
        own = self.resumed.get(folder)
        return own is not None and own.process.poll() is None

    # ------------------------------------------------------------------ what the page shows

    def shown(self, folder: Path, holder: Holder | None, state: str, config: dict[str, Any]) -> dict[str, Any]:
        """What can be done with a run, and how it stands with what was asked of it, in words."""
        own, going = self.resumed.get(folder), self.goes(folder)
        if not going and holder is None:
            self.asked.discard(folder)
        why = "" if state != "stopped" else self._cannot_resume(folder, config)
        can_stop = self.allowed and (going or bool(holder and holder.can_stop)) and folder not in self.asked
        return {
            "can_stop": can_stop, "can_resume": state == "stopped" and not going and not why,
            "cannot": why or self._cannot_stop(holder, going), "said": self._said(folder, holder, state, own),
        }  # fmt: skip

    def _said(self, folder: Path, holder: Holder | None, state: str, own: Resumed | None) -> str:
        if folder in self.asked:
            return "It was asked to stop; it ends its iteration and saves."
        if own is None:
            return "" if state == "done" or holders.tells() else UNTOLD
        if own.process.poll() is None:
            return "It was resumed from here, and stops when the studio ends." if holder else "It is being resumed…"
        last = own.said.decode(errors="replace").strip().splitlines()[-1:]
        if own.stopping and state == "stopped":
            return "It has saved and stopped."
        if own.process.returncode and last and holder is None:
            return f"It ended: {last[0][:300]}"
        return ""

    def _cannot_stop(self, holder: Holder | None, going: bool) -> str:
        if holder is None or going:
            return ""
        return holder.cannot or ("" if self.allowed else FORBIDDEN)

    def _cannot_resume(self, folder: Path, config: dict[str, Any]) -> str:
        if not self.allowed:
            return FORBIDDEN
        if newest_checkpoint(folder) is None:
            return "it has no checkpoint to go on from"
        if config.get("launcher") not in (None, "none"):
            return "several processes trained it together; start it as it was started"
        return ""

    # ------------------------------------------------------------------ what the page asks for

    async def stop(self, folder: Path) -> None:
        """Have a training end its iteration, save and stop. Raises UserError where it cannot be asked."""
        if not self.allowed:
            raise UserError(FORBIDDEN)
        if self.goes(folder):
            self.resumed[folder].ask()
        else:
            await asyncio.to_thread(holders.stop, folder)
        self.asked.add(folder)

    async def resume(self, folder: Path, state: str, config: dict[str, Any]) -> None:
        """Have a run go on from its newest checkpoint.

        Raises:
            UserError: it trains, is done, or cannot be resumed from here.
        """
        if holder_of(folder) is not None or self.goes(folder):
            raise UserError("it trains already")
        if state == "done":
            raise UserError("it is done; a longer train_cfg.max_iters goes on, by the command line")
        if why := self._cannot_resume(folder, config):
            raise UserError(why)
        if sum(map(self.goes, self.resumed)) >= MOST:
            raise UserError(f"{MOST} trainings were resumed from here, and are the most; stop one of them")
        plugins = [word for name in self.plugins for word in ("-p", name)]
        command = apart("toolbox.cli.attended", str(folder / "config.yaml"), "--work-dir", str(folder), "--resume")
        self.resumed[folder] = Resumed(subprocess.Popen(
            [*command, *plugins], cwd=self.root,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C in the terminal is the studio's to pass on
        ))  # fmt: skip
        self.asked.discard(folder)

    async def close(self) -> None:
        """Have all that were resumed from here save and stop, and wait a little for them."""
        going = [self.resumed[folder] for folder in self.resumed if self.goes(folder)]
        for each in going:
            each.ask()
        end = time.monotonic() + WAIT
        for each in going:
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(each.process.wait, max(0.0, end - time.monotonic()))

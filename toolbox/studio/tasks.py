"""The queue: one picture or film through one model at a time, tabs in turn; what a tab has left undone goes with it."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolbox.inference.planning import plan
from toolbox.inference.sizes import problem_of_size
from toolbox.inference.video.work import frames_kept
from toolbox.io.errors import UserError
from toolbox.io.files import full_disk
from toolbox.studio.films import FRAME_PIXELS, WORKING
from toolbox.studio.models import Model, Models
from toolbox.studio.pictures import MOST_PIXELS, Upload
from toolbox.studio.settings import Settings
from toolbox.studio.task import ENDED, Task
from toolbox.studio.worker import Worker, WorkerDied

WAITING = 500
"""Tasks that may wait at a time, of all tabs together."""
KEPT = 4_000
"""Finished tasks that are kept; of more, the oldest results go."""
SECONDS = 3_600.0
"""How long one picture may take."""
RESULT_PIXELS = 400_000_000


class Tasks:
    """All tasks, and the loop that does them."""

    def __init__(self, folder: Path, worker: Worker, models: Models) -> None:
        self.folder, self.worker, self.models = folder, worker, models
        self.all: dict[str, Task] = {}
        self._waiting: list[Task] = []
        self._turn: dict[str, float] = {}
        self._more = asyncio.Event()
        self._listening: dict[str, list[asyncio.Queue[Task | None]]] = {}

    # ------------------------------------------------------------------ from a page

    def add(
        self, tab: str, uploads: Sequence[Upload], model: Model, settings: Settings, *, hidden: bool = False
    ) -> list[Task]:
        """Put pictures into the queue, all or none.

        Raises:
            UserError: the queue is full, or a result cannot be made, by what headers tell.
        """
        made: dict[Task, None] = {}  # in order, each once
        for upload in uploads:
            begun = None if hidden else self._unfinished(upload, model, settings)
            made[begun or self._task(tab, upload, model, settings, hidden)] = None
        self._put([*made])
        return [*made]

    def go_on(self, task: Task) -> None:
        """Put a film that was stopped, or has failed, back into the queue.

        Raises:
            UserError: nothing of it is kept, or the queue is full.
        """
        if not task.kept:
            raise UserError("nothing of it is kept to go on with; apply the network anew")
        self._put([task])

    def _unfinished(self, upload: Upload, model: Model, settings: Settings) -> Task | None:
        """What is to be gone on with, rather than begun anew."""
        for task in self.all.values():
            same = task.upload is upload and task.model.flags == model.flags and task.settings == settings
            if same and task.kept and not task.hidden:
                return task
        return None

    def _put(self, tasks: Sequence[Task]) -> None:
        if len(self._waiting) + len(tasks) > WAITING:
            raise UserError(f"the queue holds {len(self._waiting)} pictures, and {WAITING} are the most; wait a little")
        for task in tasks:
            task.state, task.problem, task.kept, task.stopping = "waiting", "", 0, False
            task.notes.clear()
            task.ended.clear()
            self.all.pop(task.id, None)
            self.all[task.id] = task  # the newest
            self._waiting.append(task)
            self.tell(task)
        self._more.set()

    def _task(self, tab: str, upload: Upload, model: Model, settings: Settings, hidden: bool) -> Task:
        name = secrets.token_hex(8)
        scale = settings.options.outscale or model.scale or 1
        if upload.film:
            if upload.film.width * upload.film.height * scale**2 > FRAME_PIXELS:
                most = FRAME_PIXELS // 10**6
                raise UserError(f"{upload.name}: frames of its result would have more than {most} million pixels")
            return Task(name, tab, upload, model, settings, self.folder / name / name, hidden=hidden)
        if upload.header.width * upload.header.height * (upload.header.frames or 1) * scale**2 > RESULT_PIXELS:
            raise UserError(f"{upload.name}: its result would have more than {RESULT_PIXELS // 10**6} million pixels")
        made = plan([upload.file], self.folder / name, file_format=settings.format, max_pixels=MOST_PIXELS)
        problems = made.refused + [said for job in made.jobs if (said := problem_of_size(job, scale))]
        if problems:
            raise UserError(problems[0].replace(str(upload.file), upload.name))
        return Task(name, tab, upload, model, settings, made.jobs[0].target, hidden=hidden)

    def of(self, tab: str) -> list[Task]:
        """A tab's tasks in order, without those of comparisons."""
        return [each for each in self.all.values() if each.tab == tab and not each.hidden]

    def get(self, name: Any, tab: str) -> Task:
        """A tab's task by its id. Raises UserError where there is none."""
        found = self.all.get(name) if isinstance(name, str) else None
        if found is None or found.tab != tab:
            raise UserError("there is no such result any more")
        return found

    async def stop(self, tasks: Sequence[Task]) -> None:
        """Stop tasks: those that wait at once, the one that is computed within a second."""
        for task in tasks:
            if task.state == "waiting":
                self._waiting.remove(task)
                self._end(task, "stopped")
        for task in tasks:
            if task.state == "running":
                task.stopping = True
                await self.worker.stop(task.order)

    async def leave(self, tab: str) -> None:
        """Stop all that a closed tab has left undone."""
        await self.stop([each for each in self.all.values() if each.tab == tab])

    def remove(self, upload: Upload) -> None:
        """Forget what was made of a picture."""
        for task in [each for each in self.all.values() if each.upload is upload]:
            self.all.pop(task.id)
            if task.state in ENDED:
                self._clear(task)

    # ------------------------------------------------------------------ listening

    def listen(self, tab: str) -> asyncio.Queue[Task | None]:
        """Hear of every change of a tab's tasks."""
        heard: asyncio.Queue[Task | None] = asyncio.Queue()
        self._listening.setdefault(tab, []).append(heard)
        return heard

    def deaf(self, tab: str, heard: asyncio.Queue[Task | None]) -> bool:
        """Hear no more; returns whether nobody listens for this tab any longer."""
        left = self._listening.get(tab, [])
        left.remove(heard)
        if not left:
            self._listening.pop(tab, None)
        return not left

    def listened(self, tab: str) -> bool:
        """Whether a page of this tab listens."""
        return tab in self._listening

    def tell(self, task: Task) -> None:
        """Have those who listen for a task's tab hear of it."""
        task.told += 1
        if not task.hidden:
            for heard in self._listening.get(task.tab, []):
                heard.put_nowait(task)

    # ------------------------------------------------------------------ the loop

    async def run(self) -> None:
        """Do what waits, for ever."""
        while True:
            if not self._waiting:
                self._more.clear()
                await self._more.wait()
            task = min(self._waiting, key=lambda each: self._turn.get(each.tab, 0.0))
            self._waiting.remove(task)
            self._turn[task.tab] = time.monotonic()
            await self._do(task)

    async def _do(self, task: Task) -> None:
        task.state, task.runs = "running", task.runs + 1
        self.tell(task)
        order, seconds = self._order(task), WORKING if task.upload.film else SECONDS
        try:
            task.target.parent.mkdir(exist_ok=True)
            made = await self.worker.do(
                order, lambda message: self._hear(task, message), seconds=seconds, wanted=lambda: not task.stopping
            )
        except (WorkerDied, OSError, ValueError) as error:  # no disk or memory for it; the queue goes on
            full = full_disk(error) if isinstance(error, OSError) else None
            self._end(task, "failed", full or str(error))
            return
        if made["event"] == "done":
            task.result, task.part = made, 1.0
            task.target = Path(made.get("target", task.target))  # whose ending its codec decides
            if task.model.scale is None and task.model.conditions is not None:
                self.models.learn(task.model, made["scale"], task.model.conditions)
        self._end(task, made["event"], self._plain(task, made.get("problem", "")))

    def _order(self, task: Task) -> dict[str, Any]:
        folder, film = task.target.parent, task.upload.film is not None
        preview = {name: str(folder / f"{name}.preview.{'mp4' if film else 'png'}") for name in ("source", "target")}
        if film:
            preview["source"] = str(task.upload.preview)
        return {
            "id": task.order, "kind": "film" if film else "translate", **task.model.order(), **task.settings.order(),
            "source": str(task.upload.file), "target": str(task.target), "max_pixels": MOST_PIXELS,
            "source_preview": preview["source"], "target_preview": preview["target"], "target_poster": str(task.poster),
        }  # fmt: skip

    def _hear(self, task: Task, message: dict[str, Any]) -> None:
        if message["event"] == "progress":
            task.part, task.said = message["part"], message.get("said", "")
        elif message["event"] == "note":
            task.notes.append(self._plain(task, message["line"]))
        self.tell(task)

    def _plain(self, task: Task, line: str) -> str:
        """A line that names the picture as its owner does."""
        for file in (task.upload.file, task.target):
            line = line.replace(str(file), task.upload.name).replace(file.name, task.upload.name)
        return line

    def _end(self, task: Task, state: str, problem: str = "") -> None:
        task.state, task.problem = state, problem
        task.ended.set()
        if task.id not in self.all:  # its picture was removed
            self._clear(task)
            return
        if task.upload.film and state != "done":
            if not task.hidden:  # nobody goes on with a comparison
                task.kept = sum(map(frames_kept, task.target.parent.glob(".*.parts")))
            if not task.kept:
                self._clear(task)
        self.tell(task)
        finished = [each for each in self.all.values() if each.state in ENDED]
        for old in finished[: max(0, len(finished) - KEPT)]:
            del self.all[old.id]
            self._clear(old)

    def _clear(self, task: Task) -> None:
        """Remove what was made, or begun."""
        shutil.rmtree(task.target.parent, ignore_errors=True)

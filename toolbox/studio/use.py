"""What the page asks to use networks: pictures and films go up, tasks are made and stopped, results come down."""

from __future__ import annotations

import asyncio
import json
import secrets
import zipfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from toolbox.io.errors import UserError
from toolbox.io.search import SUFFIXES
from toolbox.studio.answers import attachment, json_of, names_in, parts_of, picture, tab_of, told
from toolbox.studio.models import Model, Models
from toolbox.studio.pictures import Pictures
from toolbox.studio.settings import Settings, settings_of
from toolbox.studio.task import Task
from toolbox.studio.tasks import WAITING, Tasks
from toolbox.studio.worker import WorkerDied
from toolbox.video.opening import SUFFIXES as FILMS

GRACE = 0.3
"""Seconds that a tab may be away, as when its page is loaded again, before what it has left undone is stopped."""
BEAT = 10.0
"""Seconds between two signs of life, by which a connection that is gone is noticed."""
DESCRIBING = 300.0


class Use:
    """The routes, over what a studio holds."""

    def __init__(self, pictures: Pictures, models: Models, tasks: Tasks) -> None:
        self.pictures, self.models, self.tasks = pictures, models, tasks
        self.leaving: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/api/models", told(self.list_models)),
            Route("/api/models/{model}", told(self.describe)),
            Route("/api/state", told(self.state)),
            Route("/api/pictures", told(self.upload), methods=["POST"]),
            Route("/api/pictures/{picture}", told(self.remove), methods=["DELETE"]),
            Route("/api/pictures/{picture}/shown", told(self.show_picture)),
            Route("/api/pictures/{picture}/poster", told(self.picture_poster)),
            Route("/api/tasks", told(self.begin), methods=["POST"]),
            Route("/api/tasks/{task}/continue", told(self.go_on), methods=["POST"]),
            Route("/api/command", told(self.command), methods=["POST"]),
            Route("/api/stop", told(self.stop), methods=["POST"]),
            Route("/api/events", told(self.events)),
            Route("/api/tasks/{task}/shown", told(self.show_result)),
            Route("/api/tasks/{task}/poster", told(self.result_poster)),
            Route("/api/tasks/{task}/file", told(self.download)),
            Route("/api/zip", told(self.zip)),
        ]

    # ------------------------------------------------------------------ models

    async def list_models(self, request: Request) -> Response:
        """All networks there are."""
        models = await asyncio.to_thread(self.models.all)
        cut = self.models.finder.find().cut
        return JSONResponse({"models": [each.shown() for each in models], "suffixes": (*SUFFIXES, *FILMS), "cut": cut})

    async def describe(self, request: Request) -> Response:
        """One network, loaded where its description does not tell what can be chosen."""
        model = self.models.get(request.path_params["model"])
        if model.conditions is None:
            await describe(model, self.models, self.tasks)
        return JSONResponse(model.shown())

    # ------------------------------------------------------------------ pictures

    async def state(self, request: Request) -> Response:
        """A tab's pictures and tasks, for a page that was loaded again."""
        tab = tab_of(request)
        pictures = [each.shown() for each in self.pictures.of(tab)]
        return JSONResponse({"pictures": pictures, "tasks": [each.shown() for each in self.tasks.of(tab)]})

    async def upload(self, request: Request) -> Response:
        """Keep a picture; its name comes as the header X-Name, escaped as in an address."""
        tab, name = tab_of(request), unquote(request.headers.get("x-name", ""))[:400]
        warming = asyncio.ensure_future(self.tasks.worker.warm())
        upload = await self.pictures.take(tab, name, parts_of(request))
        await warming
        return JSONResponse(upload.shown(), 201)

    async def remove(self, request: Request) -> Response:
        """Forget a picture and what was made of it."""
        upload = self.pictures.get(request.path_params["picture"], tab_of(request))
        await self.tasks.stop([each for each in self.tasks.all.values() if each.upload is upload])
        self.tasks.remove(upload)
        self.pictures.remove(upload)
        return JSONResponse({})

    async def show_picture(self, request: Request) -> Response:
        """The picture, or where browsers cannot show it the preview that its first task makes."""
        upload = self.pictures.get(request.path_params["picture"], tab_of(request))
        if upload.showable:
            return picture(upload.file)
        if upload.film:
            return picture(upload.preview)
        for task in self.tasks.all.values():
            if task.upload is upload and (preview := task.result.get("previews", {}).get("source")):
                return picture(Path(preview))
        return Response(status_code=404)

    async def picture_poster(self, request: Request) -> Response:
        """A film's first frame."""
        return picture(self.pictures.get(request.path_params["picture"], tab_of(request)).poster)

    # ------------------------------------------------------------------ tasks

    async def begin(self, request: Request) -> Response:
        """Put pictures into the queue."""
        tab, content = tab_of(request), await json_of(request)
        uploads = [self.pictures.get(each, tab) for each in names_in(content, "pictures", WAITING)]
        model, settings = await self.asked(content, tab)
        made = self.tasks.add(tab, uploads, model, settings)
        return JSONResponse({"tasks": [each.shown() for each in made]}, 201)

    async def go_on(self, request: Request) -> Response:
        """Go on with a film that was stopped."""
        task = self.tasks.get(request.path_params["task"], tab_of(request))
        if task.hidden:
            raise UserError("it belongs to a comparison")
        self.tasks.go_on(task)
        return JSONResponse(task.shown(), 201)

    async def command(self, request: Request) -> Response:
        """The command line that is equal to what a page has set, or what is wrong with that."""
        tab, content = tab_of(request), await json_of(request)
        try:
            upload = self.pictures.get(content.get("picture"), tab)
            model, settings = await self.asked(content, tab)
        except UserError as error:
            return JSONResponse({"command": "", "problem": str(error)})
        return JSONResponse({"command": settings.command(model, upload.name, film=upload.film is not None)})

    async def asked(self, content: dict[str, Any], tab: str) -> tuple[Model, Settings]:
        """The model and the settings that a request names."""
        model = await asyncio.to_thread(self.models.get, content.get("model"))
        given = content.get("settings") or {}
        if model.conditions is None and isinstance(given, dict) and given.get("chosen"):
            await describe(model, self.models, self.tasks)

        def picture_of(name: Any) -> tuple[str, str]:
            upload = self.pictures.get(name, tab)
            if upload.film:
                raise UserError(f"{upload.name}: is a film, and a picture is wanted here")
            return str(upload.file), upload.name

        return model, settings_of(given, model, picture_of)

    async def stop(self, request: Request) -> Response:
        """Stop the tasks that are named, or all of the tab."""
        tab, content = tab_of(request), await json_of(request)
        tasks = self.tasks.of(tab)
        if "tasks" in content:
            tasks = [self.tasks.get(each, tab) for each in names_in(content, "tasks", WAITING + 1)]
        await self.tasks.stop(tasks)
        return JSONResponse({})

    async def events(self, request: Request) -> Response:
        """A stream of a tab's tasks as they change. When it breaks off, the tab is gone, and its work stops."""
        tab = tab_of(request)

        async def stream() -> AsyncIterator[str]:
            heard = self.tasks.listen(tab)  # here, or a request that is never answered would be listening for ever
            try:
                yield "retry: 200\n\n"
                for task in self.tasks.of(tab):
                    yield _event(task)
                while True:
                    try:
                        task = await asyncio.wait_for(heard.get(), BEAT)
                    except (TimeoutError, asyncio.TimeoutError):
                        yield ": here\n\n"
                        continue
                    if task is None:
                        return
                    yield _event(task)
            finally:
                if self.tasks.deaf(tab, heard):
                    leaving = asyncio.get_running_loop().create_task(self._left(tab))
                    self.leaving.add(leaving)
                    leaving.add_done_callback(self.leaving.discard)

        return StreamingResponse(stream(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def _left(self, tab: str) -> None:
        await asyncio.sleep(GRACE)
        if not self.tasks.listened(tab):
            await self.tasks.leave(tab)

    # ------------------------------------------------------------------ results

    async def show_result(self, request: Request) -> Response:
        """A result, or where browsers cannot show it its preview."""
        task = self._done(request)
        preview = task.result.get("previews", {}).get("target")
        return picture(Path(preview) if preview else task.target)

    async def result_poster(self, request: Request) -> Response:
        """The first frame of a film's result."""
        return picture(self._done(request).poster)

    async def download(self, request: Request) -> Response:
        """A result's file."""
        task = self._done(request)
        return FileResponse(task.target, media_type="application/octet-stream", headers=attachment(task.name))

    def _done(self, request: Request) -> Task:
        task = self.tasks.get(request.path_params["task"], tab_of(request))
        if task.state != "done" or task.hidden:
            raise UserError("this result is not done")
        return task

    async def zip(self, request: Request) -> Response:
        """All results of a tab in one file."""
        done = [each for each in self.tasks.of(tab_of(request)) if each.state == "done"]
        if not done:
            raise UserError("nothing is done yet")
        file = self.tasks.folder / f"{secrets.token_hex(8)}.zip"
        try:
            await asyncio.to_thread(write_zip, file, done)
        except OSError:  # a full disk, which what is half done would keep full
            file.unlink(missing_ok=True)
            raise
        return FileResponse(
            file,
            media_type="application/zip",
            headers=attachment("pictures.zip"),
            background=BackgroundTask(file.unlink),
        )


async def describe(model: Model, models: Models, tasks: Tasks) -> None:
    """Have the worker load a model to tell what can be chosen of it. Raises UserError where it cannot."""
    order = {"id": f"describe-{secrets.token_hex(4)}", "kind": "describe", **model.order()}
    try:
        made = await tasks.worker.do(order, lambda _: None, seconds=DESCRIBING)
    except (WorkerDied, OSError) as error:
        raise UserError(f"{model.name}: {error}") from None
    if made["event"] != "done":
        raise UserError(f"{model.name}: {made.get('problem') or 'was stopped'}")
    scale, conditions = int(made["scale"]), tuple(made["conditions"])
    models.learn(model, scale, conditions)
    model.scale, model.conditions = scale, conditions


def write_zip(file: Path, tasks: Sequence[Task]) -> None:
    """Results as they are, each under a name of its own; pictures are compressed already."""
    taken: set[str] = set()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as made:
        for task in tasks:
            name, count = task.name, 1
            while name.lower() in taken:
                count += 1
                name = f"{Path(task.name).stem}_{count}{task.target.suffix}"
            taken.add(name.lower())
            made.write(task.target, name)


def _event(task: Task) -> str:
    return f"data: {json.dumps(task.shown())}\n\n"

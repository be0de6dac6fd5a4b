"""The studio put together: its page, its routes, the queue that runs beside them, and the guard around all."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from toolbox.benchmark.page import TEMPLATE
from toolbox.studio.compare import Compare
from toolbox.studio.duels import Votes
from toolbox.studio.entry import PAGE, Entry
from toolbox.studio.found import Finder
from toolbox.studio.guard import HOSTS, Guard
from toolbox.studio.models import Models
from toolbox.studio.pictures import Pictures
from toolbox.studio.tasks import Tasks
from toolbox.studio.trainings import Trainings
from toolbox.studio.use import Use
from toolbox.studio.watch import Watch
from toolbox.studio.worker import Worker

FROM_REPORT = ("elements.js", "charts.js", "page.css")
"""Files of the benchmark's report that the page uses as they are: its elements, charts and colours."""
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


class Studio:
    """Everything that one server holds.

    Args:
        root: the folder whose exports, runs and benchmarks are shown; votes are kept below it.
        folder: a private folder for uploads and results.
        port, hosts, by_address: how the server may be called, as of `Guard`.
        password: of a server that others may reach.
        device, plugins: as of `infer`.
        control: whether trainings may be stopped and resumed from the page.
    """

    def __init__(
        self,
        root: Path,
        folder: Path,
        *,
        port: int,
        hosts: frozenset[str] = HOSTS,
        by_address: bool = False,
        password: str | None = None,
        device: str = "",
        plugins: Sequence[str] = (),
        control: bool = True,
    ) -> None:
        self.token = secrets.token_urlsafe(24)
        self.worker = Worker(device, plugins)
        self.trainings = Trainings(root, plugins, allowed=control)
        self.finder = finder = Finder(root)
        models, pictures = Models(finder), Pictures(folder)
        self.tasks = Tasks(folder, self.worker, models)
        use = Use(pictures, models, self.tasks)
        entry = Entry(password)
        routes = [
            Route("/", entry.page),
            Route("/enter", entry.enter, methods=["GET", "POST"]),
            Route("/page/{name}", page_file),
            *use.routes(),
            *Watch(finder, self.trainings).routes(),
            *Compare(use, finder, Votes(root / "work_dirs" / "studio" / "votes.jsonl")).routes(),
        ]
        self.application = Guard(
            Starlette(routes=routes, lifespan=self._life), self.token, port, by_address=by_address, hosts=hosts
        )
        entry.guard = self.application

    @asynccontextmanager
    async def _life(self, _: Starlette) -> AsyncIterator[None]:
        doing = asyncio.create_task(self.tasks.run())
        try:
            yield
        finally:
            doing.cancel()
            with suppress(asyncio.CancelledError):
                await doing
            await self.worker.kill()
            await self.trainings.close()


async def page_file(request: Request) -> Response:
    """A file of the page; there are no others, whatever the name says."""
    name = request.path_params["name"]
    file = FILES.get(name)
    if file is None:
        return Response(status_code=404)
    return FileResponse(file, media_type=TYPES[file.suffix])


FILES = {
    **{file.name: file for file in sorted(PAGE.iterdir()) if file.suffix in TYPES},
    **{name: TEMPLATE / name for name in FROM_REPORT},
}
"""What the page consists of, by name."""

"""What the page asks to watch trainings: which there are, how they do, their curves and samples, stop and resume."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from toolbox.benchmark.run_files import Curves
from toolbox.io.errors import UserError
from toolbox.io.sheets import sheet_of
from toolbox.studio.answers import picture, report, told
from toolbox.studio.found import Finder, id_of
from toolbox.studio.runs import Run
from toolbox.studio.trainings import Trainings

KEPT = 12
"""Runs whose curves are kept in memory."""


class Watch:
    """The routes; reading files goes to a thread, so that a slow disk keeps nobody waiting."""

    def __init__(self, finder: Finder, trainings: Trainings) -> None:
        self.finder, self.trainings = finder, trainings
        self.curves: dict[str, Curves] = {}
        self._one = asyncio.Lock()

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/api/runs", told(self.list_runs)),
            Route("/api/runs/{run}", told(self.show)),
            Route("/api/runs/{run}/curve", told(self.curve)),
            Route("/api/runs/{run}/samples/{iteration:int}", told(self.samples)),
            Route("/api/runs/{run}/stop", told(self.stop), methods=["POST"]),
            Route("/api/runs/{run}/resume", told(self.resume), methods=["POST"]),
            Route("/api/runs/{run}/report", told(self.report)),
        ]

    async def list_runs(self, request: Request) -> Response:
        """All runs, the newest first."""
        return JSONResponse({"runs": await asyncio.to_thread(self._brief)})

    def _brief(self) -> list[dict[str, Any]]:
        return [self._made(folder).brief() for folder in self.finder.find().runs]

    async def show(self, request: Request) -> Response:
        """How a run does."""
        async with self._one:
            run = await self._run(request)
            shown = await asyncio.to_thread(run.shown, self.trainings)
        return JSONResponse(shown)

    async def curve(self, request: Request) -> Response:
        """The points of one curve of a run: pairs of an iteration and a value."""
        async with self._one:
            run = await self._run(request)
            curves = await asyncio.to_thread(run.curves.refresh)
        return JSONResponse({"points": curves.points(request.query_params.get("name", ""))})

    async def samples(self, request: Request) -> Response:
        """A sheet of samples of an iteration."""
        return picture(sheet_of((await self._run(request)).folder, request.path_params["iteration"]))

    async def stop(self, request: Request) -> Response:
        """Ask a training to save and stop."""
        await self.trainings.stop((await self._run(request)).folder)
        return JSONResponse({})

    async def resume(self, request: Request) -> Response:
        """Have a run go on from its newest checkpoint."""
        async with self._one:  # two that ask at once begin one training
            run = await self._run(request)
            await self.trainings.resume(run.folder, *await asyncio.to_thread(run.now))
        return JSONResponse({})

    async def report(self, request: Request) -> Response:
        """The page that a run left at its end."""
        return report((await self._run(request)).folder)

    async def _run(self, request: Request) -> Run:
        folder = await asyncio.to_thread(self.finder.run, request.path_params["run"])
        if folder is None:
            raise UserError("there is no such run any more")
        run = self._made(folder)
        self.curves.pop(run.id, None)
        self.curves[run.id] = run.curves  # the last that was asked for is the last to go
        while len(self.curves) > KEPT:
            self.curves.pop(next(iter(self.curves)))
        return run

    def _made(self, folder: Path) -> Run:
        name = id_of(folder)
        return Run(name, self.finder.shown(folder), folder, self.curves.get(name) or Curves(folder))

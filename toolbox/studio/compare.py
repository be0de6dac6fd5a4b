"""What the page asks to compare: blind votes on one's own pictures and films, and the reports of benchmarks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from toolbox.io.errors import UserError
from toolbox.studio.answers import json_of, names_in, number_in, picture, report, tab_of, told
from toolbox.studio.duels import CHOICES, MOST_SECONDS, SECONDS, Duel, Round, Votes, begin, shortened
from toolbox.studio.found import Finder, id_of
from toolbox.studio.task import Task
from toolbox.studio.use import Use

MOST = 100
"""Pictures of one comparison."""


class Compare:
    """The routes, over the same pictures and the same queue as `Use`."""

    def __init__(self, use: Use, finder: Finder, votes: Votes) -> None:
        self.use, self.finder, self.votes = use, finder, votes
        self.duels: dict[str, Duel] = {}

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/api/duels", told(self.begin), methods=["POST"]),
            Route("/api/duels/{duel}", told(self.show)),
            Route("/api/duels/{duel}/{round:int}/{side}", told(self.side)),
            Route("/api/duels/{duel}/{round:int}", told(self.vote), methods=["POST"]),
            Route("/api/votes", told(self.table)),
            Route("/api/grids", told(self.grids)),
            Route("/api/grids/{grid}", told(self.report)),
        ]

    async def begin(self, request: Request) -> Response:
        """Have two models make pictures to vote on."""
        tab, content = tab_of(request), await json_of(request)
        uploads = [self.use.pictures.get(each, tab) for each in names_in(content, "pictures", MOST)]
        first, seconds = part_in(content)
        asked = []
        for name in ("first", "second"):
            given = content.get(name)
            asked.append(await self.use.asked(given if isinstance(given, dict) else {}, tab))
        if asked[0][0].id == asked[1][0].id and asked[0][1] == asked[1][1]:
            raise UserError("both are the same; choose another model, or other settings of it")
        made: list[Task] = []
        try:
            for upload in uploads:  # both of one at a time, so that voting begins soon
                for model, settings in asked:
                    chosen = shortened(settings, upload, first, seconds)
                    made += self.use.tasks.add(tab, [upload], model, chosen, hidden=True)
        except UserError:
            await self.use.tasks.stop(made)
            raise
        duel = begin(tab, made[::2], made[1::2])
        self.duels[duel.id] = duel
        return JSONResponse(duel.shown(), 201)

    async def show(self, request: Request) -> Response:
        """How far a comparison is."""
        return JSONResponse(self._duel(request).shown())

    async def side(self, request: Request) -> Response:
        """The picture on a side of a round, or the film; where browsers do not play both, the first frame of each."""
        each = self._round(request)
        task = each.side("left" if request.path_params["side"] == "left" else "right")
        if task.state != "done":
            raise UserError("this picture is not done")
        if task.film() and not each.film:
            return picture(task.poster)
        preview = task.result.get("previews", {}).get("target")
        return picture(Path(preview) if preview else task.target)

    async def vote(self, request: Request) -> Response:
        """Keep a vote on a round, once."""
        content, duel, each = await json_of(request), self._duel(request), self._round(request)
        choice = content.get("choice")
        if choice not in CHOICES:
            raise UserError(f"choice: must be one of {', '.join(CHOICES)}")
        if each.state != "ready":
            raise UserError("this round is not to be voted on")
        each.choice = choice
        try:
            await asyncio.to_thread(self.votes.add, duel, each)
        except OSError:
            each.choice = ""
            raise
        return JSONResponse(duel.shown())

    async def table(self, request: Request) -> Response:
        """All votes that were ever kept here."""
        return JSONResponse(
            {"pairs": await asyncio.to_thread(self.votes.table), "file": self.finder.shown(self.votes.file)}
        )

    async def grids(self, request: Request) -> Response:
        """The benchmarks below the folder."""
        found = await asyncio.to_thread(self.finder.find)
        grids: list[dict[str, Any]] = [{"id": id_of(each), "name": self.finder.shown(each)} for each in found.grids]
        return JSONResponse({"grids": grids})

    async def report(self, request: Request) -> Response:
        """A benchmark's report as it stands now."""
        folder = await asyncio.to_thread(self.finder.grid, request.path_params["grid"])
        if folder is None:
            raise UserError("there is no such report any more")
        return report(folder)

    def _duel(self, request: Request) -> Duel:
        duel = self.duels.get(request.path_params["duel"])
        if duel is None or duel.tab != tab_of(request):
            raise UserError("there is no such comparison any more")
        return duel

    def _round(self, request: Request) -> Round:
        duel, number = self._duel(request), request.path_params["round"]
        if number >= len(duel.rounds):
            raise UserError("there is no such round")
        return duel.rounds[number]


def part_in(content: dict[str, Any]) -> tuple[float | None, float]:
    """Where a film's part begins (None: around its middle), and its seconds. Raises UserError for what is none."""
    first, seconds = number_in(content, "from"), number_in(content, "seconds")
    seconds = SECONDS if seconds is None else seconds
    if first is not None and first < 0:
        raise UserError("from: must be 0 seconds or more")
    if not 0.1 <= seconds <= MOST_SECONDS:
        raise UserError(f"seconds: must be from 0.1 to {MOST_SECONDS:g}")
    return first, seconds

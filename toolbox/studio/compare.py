"""What the page asks to compare: blind votes on one's own pictures, and the reports of benchmarks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from toolbox.io.errors import UserError
from toolbox.studio.answers import json_of, names_in, picture, report, tab_of, told
from toolbox.studio.duels import CHOICES, Duel, Round, Votes, begin
from toolbox.studio.found import Finder, id_of
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
        if films := [each.name for each in uploads if each.film]:
            raise UserError(f"{films[0]}: is a film; pictures are compared here")
        asked = []
        for name in ("first", "second"):
            given = content.get(name)
            asked.append(await self.use.asked(given if isinstance(given, dict) else {}, tab))
        (model, settings), (other, others) = asked
        if model.id == other.id and settings == others:
            raise UserError("both are the same; choose another model, or other settings of it")
        first = self.use.tasks.add(tab, uploads, model, settings, hidden=True)
        try:
            second = self.use.tasks.add(tab, uploads, other, others, hidden=True)
        except UserError:
            await self.use.tasks.stop(first)
            raise
        duel = begin(tab, first, second)
        self.duels[duel.id] = duel
        return JSONResponse(duel.shown(), 201)

    async def show(self, request: Request) -> Response:
        """How far a comparison is."""
        return JSONResponse(self._duel(request).shown())

    async def side(self, request: Request) -> Response:
        """The picture on a side of a round."""
        task = self._round(request).side("left" if request.path_params["side"] == "left" else "right")
        if task.state != "done":
            raise UserError("this picture is not done")
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

"""Requests read with limits, and answers: JSON, files, and a user's mistake as one line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import wraps
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response

from toolbox.io.errors import UserError
from toolbox.io.files import full_disk
from toolbox.studio.pictures import SILENCE
from toolbox.studio.shown import media_type

LONGEST = 256 << 10
"""Bytes of a request that is JSON."""
_TAB = 64
REPORT = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)
"""A report holds all it needs, and runs apart from this page: it can send nothing, to here neither."""
Handler = Callable[[Request], Awaitable[Response]]


def told(handler: Handler) -> Handler:
    """Answer a user's mistake, a sender that went away, and a full disk, in one line of JSON."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except UserError as error:
            return JSONResponse({"problem": str(error)}, 400)
        except (ConnectionError, ClientDisconnect, TimeoutError, asyncio.TimeoutError):
            return JSONResponse({"problem": "the request broke off"}, 408)
        except OSError as error:
            if (line := full_disk(error)) is None:
                raise
            return JSONResponse({"problem": line}, 507)

    return answer


async def parts_of(request: Request) -> AsyncIterator[bytes]:
    """A request's body as it comes. Raises ConnectionError where its sender goes away, or is silent for too long."""
    stream = request.stream().__aiter__()
    while True:
        try:
            part = await asyncio.wait_for(stream.__anext__(), SILENCE)
        except StopAsyncIteration:
            return
        except (TimeoutError, asyncio.TimeoutError, ClientDisconnect):
            raise ConnectionError("the upload broke off") from None
        if part:
            yield part


async def json_of(request: Request) -> dict[str, Any]:
    """A request's JSON object. Raises UserError where it is none, or too long."""
    body = b""
    async for part in parts_of(request):
        body += part
        if len(body) > LONGEST:
            raise UserError(f"a request has more than {LONGEST >> 10} KB")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise UserError("a request is no JSON") from None
    if not isinstance(found, dict):
        raise UserError("a request is no JSON object")
    return found


def tab_of(request: Request) -> str:
    """The tab that asks: each sees its own pictures. Raises UserError where it has no name."""
    tab = request.headers.get("x-tab") or request.query_params.get("tab", "")
    if not 8 <= len(tab) <= _TAB or not tab.isalnum():
        raise UserError("a request must name its tab")
    return tab


def names_in(content: dict[str, Any], key: str, most: int) -> list[str]:
    """A list of ids. Raises UserError where it is none, or holds too many."""
    found = content.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise UserError(f"{key}: a list of ids is wanted here")
    if len(found) > most:
        raise UserError(f"{key}: {len(found)} are too many; {most} are the most")
    return found


def number_in(content: Mapping[str, Any], key: str, where: str = "") -> float | None:
    """A finite number, or None where none is given. Raises UserError for anything else, named after `where`."""
    value = content.get(key)
    if value is None or value == "":
        return None
    if not is_number(value):
        raise UserError(f"{where}{key}: must be a number")
    return float(value)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, and no larger than floats are."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return isfinite(value)
    except OverflowError:  # JSON writes whole numbers of any length
        return False


def picture(file: Path) -> Response:
    """A picture's or a film's file, to be shown."""
    if not file.is_file():
        return Response(status_code=404)
    return FileResponse(file, media_type=media_type(file))


def report(folder: Path) -> Response:
    """The report in a folder. Raises UserError where there is none."""
    if not (folder / "report.html").is_file():
        raise UserError("there is no such report any more")
    return FileResponse(folder / "report.html", media_type="text/html", headers={"content-security-policy": REPORT})


def attachment(name: str) -> dict[str, str]:
    """The header that has a download called so."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\;%' else "_" for c in name)
    return {"content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"}

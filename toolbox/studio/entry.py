"""The way in: an address that holds the token, or, for others than this machine, a password."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import stat
from pathlib import Path
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from toolbox.io.errors import UserError
from toolbox.io.files import open_regular
from toolbox.studio.answers import parts_of
from toolbox.studio.guard import Guard

PAGE = Path(__file__).with_name("page")
SHORTEST = 8
WAIT = 1.0
"""Seconds that a wrong password costs; one is looked at at a time."""


class Entry:
    """Gives the cookie to whoever knows the token, or the password."""

    def __init__(self, password: str | None = None) -> None:
        self.password = None if password is None else hashlib.sha256(password.encode()).digest()
        self.guard: Guard | None = None
        """Set when the application is guarded."""
        self._one = asyncio.Lock()

    async def page(self, request: Request) -> Response:
        """The page itself; a token in the address becomes a cookie, so that it stands in no history for long."""
        assert self.guard is not None
        given = request.query_params.get("token")
        if given is not None:
            return self._welcome() if self.guard.is_token(given) else Response("the token is not right\n", 401)
        if not self.guard.knows(request.headers.get("cookie", "")):
            if self.password is not None:
                return RedirectResponse("/enter", 303)
            return Response("open the address that the studio printed when it was started\n", 401)
        return FileResponse(PAGE / "index.html")

    async def enter(self, request: Request) -> Response:
        """The form for the password, and its answer."""
        if self.password is None:
            return Response(status_code=404)
        if request.method != "POST":
            return FileResponse(PAGE / "enter.html")
        body = b""
        async for part in parts_of(request):
            body += part
            if len(body) > 4096:
                return Response("too long\n", 413)
        given = parse_qs(body.decode("utf-8", "replace")).get("password", [""])[0]
        async with self._one:
            if hmac.compare_digest(hashlib.sha256(given.encode()).digest(), self.password):
                return self._welcome()
            await asyncio.sleep(WAIT)
        return FileResponse(PAGE / "enter.html", status_code=401)

    def _welcome(self) -> Response:
        assert self.guard is not None
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self.guard.cookie, self.guard.token, httponly=True, samesite="strict", path="/")
        return answer


def read_password(file: Path) -> str:
    """The first line of a password file.

    Raises:
        UserError: it is missing, too short, or others may read it.
    """
    try:
        with open_regular(file) as opened:
            mode = os.fstat(opened.fileno()).st_mode
            password = opened.read(1000).decode().partition("\n")[0].strip("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"--password-file {file}: cannot be read ({reason})") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UserError(f"--password-file {file}: others may read it; chmod 600 {file}")
    if len(password) < SHORTEST:
        raise UserError(f"--password-file {file}: its first line must be a password of {SHORTEST} characters or more")
    return password

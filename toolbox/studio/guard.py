"""Who may ask: the studio's own page, on this machine, by whoever holds the token that was printed at the start.

Other pages in the same browser can send requests to 127.0.0.1, and a name of theirs can be made to lead there (DNS
rebinding). So the Host must be ours, an Origin too, and the token comes as a cookie that no other page can send.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob:",
    "media-src 'self' blob:", "connect-src 'self'",
    "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
))  # fmt: skip
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
OPEN = ("/enter", "/page/enter.css")
"""What is answered without a token: where the token, or a password, is given."""
HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
READING = ("GET", "HEAD")


@dataclass
class Guard:
    """Answers for the application where a request is not the page's own.

    Args:
        app: what is guarded.
        token: the secret of the cookie.
        port: where the server listens; its Host must end in it.
        hosts: names by which it may be called.
        by_address: whether any address may stand for a name, as where the server listens on all of them; a page of
            somebody else's has a name.
    """

    app: App
    token: str
    port: int
    hosts: frozenset[str] = HOSTS
    by_address: bool = False

    @property
    def cookie(self) -> str:
        """The cookie's name; cookies are shared by the ports of a host, so it holds ours."""
        return f"gan-toolbox-studio-{self.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        problem = self.problem(scope["method"], scope["path"], headers)
        if problem:
            await refuse(send, *problem)
            return

        async def protected(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = [
                    (name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in given
                ]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self.app(scope, receive, protected)

    def problem(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str] | None:
        """Why a request is refused, with its status; None where it is not."""
        if not self.is_ours(headers.get("host", "")):
            return 421, "this server is not called by that name"
        origin = headers.get("origin")
        if origin is not None and not self._is_own_origin(origin):
            return 403, "another page may not ask here"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and (
            method not in READING or path not in ("/", *OPEN)
        ):
            return 403, "another page may not ask here"
        if path in OPEN or (path == "/" and method in READING):
            return None
        if not self.knows(headers.get("cookie", "")):
            return 401, "open the address that the studio printed when it was started"
        return None

    def is_ours(self, host: str) -> bool:
        """Whether a Host, `NAME:PORT`, is one of ours."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if (port or 80) != self.port or "@" in host or "/" in host:
            return False
        return name in self.hosts or (self.by_address and _is_address(name))

    def _is_own_origin(self, origin: str) -> bool:
        scheme, _, host = origin.partition("://")
        return scheme == "http" and self.is_ours(host)

    def knows(self, cookies: str) -> bool:
        """Whether cookies hold the token."""
        try:
            found = SimpleCookie(cookies).get(self.cookie)
        except CookieError:
            return False
        return found is not None and self.is_token(found.value)

    def is_token(self, given: str) -> bool:
        """Whether a text is the token, told in the same time whatever it is."""
        return hmac.compare_digest(given.encode(), self.token.encode())


def names_of(host: str) -> frozenset[str]:
    """The names by which a server on a host may be called."""
    return HOSTS | {host.lower(), socket.gethostname().lower()}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def refuse(send: Send, status: int, reason: str) -> None:
    """Answer with one line of text."""
    body = f"{reason}\n".encode()
    headers = {**HEADERS, "content-type": "text/plain; charset=utf-8", "content-length": str(len(body))}
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": [*sent, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})

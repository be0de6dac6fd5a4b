"""Connections to servers that may mean harm: to http and https alone, and cut where they send next to nothing."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

TIMEOUT = 60.0
"""Seconds in which a server must send anything, and `SLOWEST` bytes for each of them."""
SLOWEST = 256
"""Bytes a second: less is no line, but somebody who keeps programs waiting."""


class Connection:
    """One request and its answer: `with Connection() as connection: connection.open(url, headers)`.

    A server that sends less than `SLOWEST` bytes a second over `TIMEOUT` seconds, headers included, is cut off: what is
    read from it then ends, and `check` says why. The time begins anew with each connection of a redirect; that it takes
    to connect has a limit of its own.
    """

    def __init__(self) -> None:
        self.received = 0
        """Bytes of the body so far; whoever reads it counts them."""
        self._sockets: list[socket.socket] = []
        self._slow = False
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Connection:
        self._watching.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._watching.join()
        for each in self._sockets:
            if (handle := each.detach()) >= 0:  # a broken answer may still hold it
                socket.close(handle)

    def open(self, url: str, headers: dict[str, str]) -> Any:
        """The answer, redirects followed."""
        made = build_opener(_Redirects, _Plain(self._sockets), _Secure(self._sockets))
        return made.open(Request(url, headers=headers), timeout=TIMEOUT)

    def check(self) -> None:
        """Raises OSError where the server was cut off."""
        if self._slow:
            raise OSError(f"in {TIMEOUT:g} s the server sent less than {SLOWEST} bytes a second")

    def _watch(self) -> None:
        before = connections = 0
        while not self._over.wait(TIMEOUT):
            is_new, connections = len(self._sockets) > connections, len(self._sockets)
            if self._sockets and not is_new and self.received - before < SLOWEST * TIMEOUT:
                self._slow = True
                for each in self._sockets:
                    with suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)
                return
            before = self.received


class _Redirects(HTTPRedirectHandler):
    """Redirects to the web alone: Python itself would go on to FTP."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise OSError(f"it leads to {newurl[:200]}, which is no http or https URL")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Plain(HTTPHandler):
    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__()
        self.sockets = sockets

    def http_open(self, req: Request) -> Any:
        return self.do_open(_kept(HTTPConnection, self.sockets), req)


class _Secure(HTTPSHandler):
    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__()
        self.sockets = sockets

    def https_open(self, req: Request) -> Any:
        return self.do_open(_kept(HTTPSConnection, self.sockets), req)


def _kept(kind: Any, sockets: list[socket.socket]) -> Any:
    """A kind of connection that puts its socket into the list."""

    class Kept(kind):
        def connect(self) -> None:
            super().connect()
            sockets.append(self.sock)

    return Kept

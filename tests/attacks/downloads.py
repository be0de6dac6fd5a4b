"""A hostile server on the loopback address, asked for official weights: one line, soon, and nothing is left."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

from attacks import attack
from toolbox.io.errors import UserError
from toolbox.weights import connection, models
from toolbox.weights.official_models import Member, OfficialModel

CONTENT = Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
Answer = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Answers in one way, whatever it is asked."""

    daemon_threads, block_on_close = True, False

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer

    def url(self, name: str = "net.pth") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silent: the client hangs up."""


class Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.answer(self)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    """A server on the loopback address."""
    with Server(answer) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:  # or its thread would look for requests without end
            server.shutdown()


def said(*lines: str, body: bytes = b"") -> Answer:
    """An answer of these lines, as they are."""
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return lambda handler: _send(handler, head + body)


def _send(handler: Handler, content: bytes) -> None:
    with suppress(OSError):
        handler.wfile.write(content)


def endless(handler: Handler) -> None:
    """A body without end, which says nothing of its length."""
    _send(handler, b"HTTP/1.1 200 OK\r\n\r\n")
    with suppress(OSError):
        while True:
            handler.wfile.write(bytes(1 << 16))


def dripping(start: bytes, drop: bytes = b"x") -> Answer:
    """A byte now and then, for as long as anybody listens."""

    def answer(handler: Handler) -> None:
        _send(handler, start)
        with suppress(OSError):
            for _ in range(3000):
                handler.wfile.write(drop)
                time.sleep(0.02)

    return answer


def silent(handler: Handler) -> None:
    """Nothing at all, on an open connection."""
    time.sleep(60)


def in_a_circle(handler: Handler) -> None:
    """A redirect to itself."""
    _send(handler, f"HTTP/1.1 302 Found\r\nLocation: {handler.path}\r\n\r\n".encode())


def farther(handler: Handler) -> None:
    """A redirect to another name each time."""
    _send(handler, f"HTTP/1.1 302 Found\r\nLocation: {handler.path}x\r\n\r\n".encode())


def redirect(place: str) -> Answer:
    """A redirect."""
    return said("HTTP/1.1 302 Found", f"Location: {place}")


OK = "HTTP/1.1 200 OK"
LENGTH = f"Content-Length: {len(CONTENT)}"
ANSWERS: dict[str, Answer] = {
    "another file": said(OK, LENGTH, body=CONTENT[::-1]),
    "an endless body": endless,
    "an endless body after the file": said(OK, body=CONTENT + bytes(1000)),
    "a body that drips": dripping(f"{OK}\r\n{LENGTH}\r\n\r\n".encode()),
    "headers that drip": dripping(f"{OK}\r\nX: ".encode()),
    "a status that drips": dripping(b""),
    "headers without end": dripping(f"{OK}\r\n".encode(), b"X: y\r\n" * 10),
    "a header of a megabyte": said(OK, "X: " + "y" * 1_000_000),
    "silence": silent,
    "a body cut short": said(OK, LENGTH, body=CONTENT[:1000]),
    "a length of 10^30": said(OK, "Content-Length: 1" + "0" * 30, body=CONTENT[:1000]),
    "a length of 5000 digits": said(OK, "Content-Length: " + "9" * 5000, body=CONTENT[:1000]),
    "a length below zero": said(OK, "Content-Length: -1", body=CONTENT[:1000]),
    "two lengths": said(OK, LENGTH, "Content-Length: 5", body=CONTENT[:1000]),
    "chunks that are none": said(OK, "Transfer-Encoding: chunked", body=b"zzz\r\n" + CONTENT),
    "a chunk of 10^18 bytes": said(OK, "Transfer-Encoding: chunked", body=b"de0b6b3a7640000\r\n" + CONTENT[:1000]),
    "chunks cut short": said(OK, "Transfer-Encoding: chunked", body=b"fff\r\n" + CONTENT[:100]),
    "a packed body": said(OK, "Content-Encoding: gzip", LENGTH, body=CONTENT[::-1]),
    "500": said("HTTP/1.1 500 Internal Server Error"),
    "404": said("HTTP/1.1 404 Not Found"),
    "416": said("HTTP/1.1 416 Range Not Satisfiable"),
    "401": said("HTTP/1.1 401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\""),
    "a status with colours": said("HTTP/1.1 500 \x1b[31mred\x0bmore"),
    "a status of 999": said("HTTP/1.1 999 Odd"),
    "204": said("HTTP/1.1 204 No Content"),
    "206 of another place": said("HTTP/1.1 206 Partial", "Content-Range: bytes 7-9/10", LENGTH, body=CONTENT[:-1]),
    "no HTTP": said("SSH-2.0-OpenSSH"),
    "nothing": said(),
    "zeros": lambda handler: _send(handler, bytes(100_000)),
    "a circle": in_a_circle,
    "a longer and longer name": farther,
    "to a file": redirect("file:///etc/passwd"),
    "to a file, unlike": redirect("FILE:/etc/passwd"),
    "to FTP": redirect("ftp://127.0.0.1:9/net.pth"),
    "to data": redirect("data:text/plain,x"),
    "to a dead port": redirect("http://127.0.0.1:9/net.pth"),
    "to half an address": redirect("http://[::1/net.pth"),
    "to a port that is none": redirect("http://127.0.0.1:99999999/net.pth"),
    "to a host of 300 letters": redirect(f"http://{'x' * 300}/net.pth"),
    "to a space": redirect("http://127.0.0.1:9/a b\x7f"),
    "to nowhere": said("HTTP/1.1 302 Found"),
    "to nothing": redirect(""),
}  # fmt: skip
SOON = 2.0
"""Seconds that a test lets a server be silent, instead of a minute."""


def hastened() -> None:
    """Wait less for servers, in this process."""
    connection.TIMEOUT = SOON


class Attack(attack.Attack):
    """Each way once with nothing there, and once with a part of an earlier attempt."""

    cases = 2 * len(ANSWERS)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        hastened()

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        answer, earlier = list(ANSWERS.values())[number // 2], number % 2
        with serving(answer) as server:
            model = OfficialModel(
                "net", "a network", "MIT", "the test", server.url(), (Member("net.pth", SHA256, len(CONTENT), ""),)
            )
            there = models.model_folder(model)
            there.mkdir(parents=True, exist_ok=True)
            for each in there.iterdir():
                each.unlink()
            if earlier:
                (there / ".net.pth.part").write_bytes(CONTENT[:500])
            try:
                models.download(model)
            except UserError as error:
                assert server.url() in str(error), f"does not name the URL: {error}"
                left = {each.name: each.read_bytes() for each in there.iterdir()}
                assert left.keys() <= {".net.pth.part"}, f"leaves {list(left)}"
                assert len(left.get(".net.pth.part", b"")) <= len(CONTENT), "leaves more than the file"
                raise
        raise AssertionError("took what it was given")

"""The server: one socket, one address to open, and nothing left behind when it ends."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from toolbox.io.errors import UserError
from toolbox.studio.application import Studio
from toolbox.studio.folder import private_folder
from toolbox.studio.guard import names_of

HERE = "127.0.0.1"
PORT = 8420
CONNECTIONS = 500
"""Connections at a time; more are told to come back."""


def serve(
    root: Path,
    say: Callable[[str], None],
    *,
    host: str = HERE,
    port: int | None = None,
    password: str | None = None,
    device: str = "",
    plugins: Sequence[str] = (),
    control: bool = True,
) -> None:
    """Serve until a signal comes. `say` hears the address to open; `control` lets the page stop and resume trainings.

    Raises:
        UserError: the host or the port cannot be had.
        KeyboardInterrupt: what ended it.
    """
    import uvicorn

    listening = listen(host, port)
    listening.listen(CONNECTIONS)  # from here on whoever opens the address waits, and is not refused
    number = listening.getsockname()[1]
    everywhere = host in ("0.0.0.0", "::")
    with listening, private_folder() as folder:
        studio = Studio(
            root, folder, port=number, password=password, device=device, plugins=plugins, by_address=everywhere,
            hosts=names_of(host), control=control,
        )  # fmt: skip
        shown = f"[{host}]" if ":" in host else socket.gethostname() if everywhere else host
        say(f"http://{shown}:{number}/" + (f"?token={studio.token}" if password is None else ""))
        config = uvicorn.Config(
            studio.application, log_level="warning", access_log=False, lifespan="on", ws="none", server_header=False,
            timeout_graceful_shutdown=1, timeout_keep_alive=15, limit_concurrency=CONNECTIONS, proxy_headers=False,
            h11_max_incomplete_event_size=32 << 10,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens; without a port, on the usual one, or else on any that is free."""
    try:
        family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
    except (OSError, UnicodeError):
        raise UserError(f"--host {host}: there is no such address") from None
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if port is None:
        with suppress(OSError):
            made.bind((host, PORT))
            return made
    try:
        made.bind((host, port or 0))
    except (OSError, OverflowError) as error:
        made.close()
        reason = getattr(error, "strerror", None) or error
        flag = "--host" if port is None else f"--port {port}, --host"
        raise UserError(f"{flag} {host}: cannot be had ({reason})") from None
    return made

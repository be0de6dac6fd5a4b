"""`studio [FOLDER]`: a local page to use networks on pictures, to watch trainings, and to compare."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from toolbox.cli.arguments import parser
from toolbox.io.console import console, errors
from toolbox.io.errors import UserError

PACKAGES = ("starlette", "uvicorn")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; returns the exit code."""
    made = parser(
        "studio",
        "Serve one page, to this machine alone, to use networks on pictures, to watch trainings and to compare. "
        "Networks and runs below FOLDER are found by themselves.",
    )
    add = made.add_argument
    add("folder", nargs="?", type=Path, default=Path(), metavar="FOLDER", help="where runs and exports lie (.)")
    add("--port", type=int, metavar="N", help="where to listen (8420, or any that is free)")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="to be reached from elsewhere: needs --password-file")
    add("--password-file", type=Path, metavar="FILE", help="whose first line is the password to enter with")
    add("--control", action="store_true", help="with --host: let whoever may enter stop and resume trainings too")
    add("--device", default="", help="cpu, cuda, cuda:1; a GPU if there is one")
    options = made.parse_args(arguments)
    if options.port is not None and not 1 <= options.port <= 65_535:
        raise UserError(f"--port {options.port}: must be from 1 to 65535")
    if not options.folder.is_dir():
        raise UserError(f"{options.folder}: there is no such folder")
    lacking = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        raise UserError(f"studio: needs {' and '.join(lacking)}; pip install 'gan-toolbox[web]'")
    local = options.host in ("127.0.0.1", "localhost", "::1")
    if not local and options.password_file is None:
        raise UserError(f"--host {options.host}: others could come in; add --password-file FILE")

    from toolbox.studio.entry import read_password
    from toolbox.studio.serving import serve

    password = read_password(options.password_file) if options.password_file else None
    if not local:
        errors.print("note: the page is not encrypted; across a network you do not trust, use an SSH tunnel instead")

    def say(address: str) -> None:
        console.print(f"the studio is at {address}", soft_wrap=True)
        console.print("Ctrl-C ends it, and removes what was uploaded", soft_wrap=True)

    try:
        serve(
            options.folder.resolve(), say, host=options.host, port=options.port, password=password,
            device=options.device, plugins=options.plugins, control=local or options.control,
        )  # fmt: skip
    except KeyboardInterrupt as stop:
        if getattr(stop, "number", None) is not None:  # a signal other than Ctrl-C
            raise
    return 0

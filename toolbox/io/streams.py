"""Standard input, output and error as they are found: one may be closed, and a reader may leave; the work goes on."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_STREAMS = {"stdin": 0, "stdout": 1, "stderr": 2}
_NOBODY_READS = (errno.EPIPE, errno.EIO)
"""A pipe whose reader has ended, and a terminal that was closed."""


class Output(io.FileIO):
    """A stream's file: what cannot be written is dropped, and `lost` keeps the first reason."""

    lost: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write, or pretend to."""
        try:
            return super().write(data)
        except OSError as error:
            self.lost = self.lost or error
            return memoryview(data).nbytes

    def problem(self) -> str | None:
        """Why something is missing that somebody wanted to read: a full disk, not a reader that has left."""
        if self.lost is None or self.lost.errno in _NOBODY_READS:
            return None
        return self.lost.strerror or str(self.lost)


def open_what_is_closed() -> None:
    """Lead a standard stream that this process was started without (`>&-`) to nowhere.

    The next file that is opened would have its number otherwise, and what a library prints would be written into it.
    """
    for name, number in _STREAMS.items():
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if number == 0 else "w"))  # noqa: SIM115 (it stays open)


@contextmanager
def outlasting_readers() -> Iterator[Output | None]:
    """Have `| head -1` and a closed terminal cost the text alone, never the work; gives standard output's file.

    A stream that a test or another program has put in place stays as it is.
    """
    before = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    files: dict[str, Output] = {}
    for name, stream in before.items():
        with suppress(OSError, AttributeError, ValueError):
            stream.flush()  # what stands in it comes first
        buffer = getattr(stream, "buffer", None)
        raw = getattr(buffer, "raw", buffer)  # with PYTHONUNBUFFERED there is no buffer between
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper) and type(raw) is io.FileIO:
            files[name] = Output(raw.fileno(), "w", closefd=False)
            made = io.TextIOWrapper(
                files[name] if raw is buffer else io.BufferedWriter(files[name]), stream.encoding, stream.errors,
                line_buffering=stream.line_buffering, write_through=stream.write_through,
            )  # fmt: skip
            setattr(sys, name, made)
    try:
        yield files.get("stdout")
    finally:
        for name in files:
            getattr(sys, name).flush()
            setattr(sys, name, before[name])

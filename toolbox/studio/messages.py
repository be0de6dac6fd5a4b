"""What the studio and its worker say to each other: JSON objects, each after its length in four bytes."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

LONGEST = 1 << 20
"""Bytes of a message; pictures are files, and only their names are sent."""
_HEAD = struct.Struct(">I")


def packed(message: Mapping[str, Any]) -> bytes:
    """A message as it is sent. Raises ValueError for one that is too long."""
    body = json.dumps(message).encode()
    if len(body) > LONGEST:
        raise ValueError(f"a message of {len(body)} bytes, and {LONGEST} are the most")
    return _HEAD.pack(len(body)) + body


def read(file: BinaryIO) -> dict[str, Any] | None:
    """The next message of a file; None at its end."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    body = file.read(_length(head))
    return _object(body)


async def receive(stream: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next message of a stream; None at its end."""
    try:
        head = await stream.readexactly(_HEAD.size)
        return _object(await stream.readexactly(_length(head)))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _length(head: bytes) -> int:
    (length,) = _HEAD.unpack(head)
    if length > LONGEST:
        raise ValueError(f"a message of {length} bytes, and {LONGEST} are the most")
    return length


def _object(body: bytes) -> dict[str, Any]:
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("a message that is no object")
    return found

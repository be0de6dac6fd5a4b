"""Encoded pieces of a film on the disk: packets one after another, and an index that makes the file whole."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolbox.io.errors import UserError
from toolbox.io.files import WholeFile, open_regular

_MARK = b"gtbvideo"
_FOOT = struct.Struct("<Q8s")
"""The bytes of the index before it, and the mark."""


@dataclass(frozen=True)
class Index:
    """What a piece holds: of each packet, in the order of decoding, its time stamp, duration, key mark and size."""

    pts: tuple[int, ...]
    durations: tuple[int, ...]
    keys: tuple[bool, ...]
    sizes: tuple[int, ...]

    @property
    def delay(self) -> int:
        """By how many packets a frame comes before its turn to be shown."""
        ranks = {pts: rank for rank, pts in enumerate(sorted(self.pts))}
        return max((number - ranks[pts] for number, pts in enumerate(self.pts)), default=0)


class PacketWriter:
    """Writes packets to a file; `end()` adds the index."""

    def __init__(self, file: WholeFile) -> None:
        self.file, self.size = file, 0
        self._rows: list[tuple[int, int, bool, int]] = []

    def write(self, packet: Any) -> None:
        """Add a packet of PyAV's. Raises OSError where the disk refuses."""
        data = bytes(packet)
        self.file.write(data)
        self.size += len(data)
        self._rows.append((packet.pts, packet.duration or 0, packet.is_keyframe, len(data)))

    def end(self) -> None:
        """Add the index."""
        columns = [list(column) for column in zip(*self._rows, strict=True)] or [[], [], [], []]
        text = json.dumps(columns, separators=(",", ":")).encode()
        self.file.write(text + _FOOT.pack(len(text), _MARK))


def read_index(path: Path) -> Index:
    """A piece's index.

    Raises:
        UserError: it is damaged.
        OSError: it is missing.
    """
    with open_regular(path) as file:
        try:
            file.seek(-_FOOT.size, 2)
            length, mark = _FOOT.unpack(file.read(_FOOT.size))
            end = file.seek(-_FOOT.size - length, 2)
            columns = json.loads(file.read(length))
            index = Index(*(tuple(column) for column in columns))
        except (OSError, ValueError, TypeError, struct.error) as error:
            raise UserError(f"{path}: is damaged ({type(error).__name__})") from None
        if mark != _MARK or sum(index.sizes) != end:
            raise UserError(f"{path}: is damaged")
    return index


def read_packets(path: Path) -> Iterator[tuple[int, int, bool, bytes]]:
    """The packets of a piece: time stamp, duration, key mark and bytes."""
    index = read_index(path)
    with open_regular(path) as file:
        for pts, duration, key, size in zip(index.pts, index.durations, index.keys, index.sizes, strict=True):
            yield pts, duration, key, file.read(size)

"""Results become pieces of a film: filtered in their order, encoded or written as pictures, and kept with a state."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from toolbox.inference.picture import Picture
from toolbox.inference.picture_write import write_picture
from toolbox.inference.video.filtering import FrameFilter
from toolbox.inference.video.preview import side_by_side
from toolbox.inference.video.stepping import Step, saved
from toolbox.inference.video.work import Work
from toolbox.io.errors import RunFailed
from toolbox.io.files import whole
from toolbox.video.encoding import Encoder, Writing
from toolbox.video.packets import PacketWriter

RESERVE = 64 << 20
"""Bytes of a disk that are left alone."""


@dataclass
class PieceWriter:
    """Consumes results in a thread of its own; `writer(steps)`.

    Args:
        writing: how frames are encoded; None: they become pictures of `folder`, whose names `name` gives.
        frames: of a piece.
        total: frames of the film, about; None where nobody knows.
        told: hears each frame that is done, and the bytes that all take.
    """

    work: Work
    writing: Writing | None
    frames: int
    filter: FrameFilter
    preview: bool = False
    folder: Path | None = None
    name: Callable[[int], str] = str
    alpha: bool = False
    total: int | None = None
    told: Callable[[int, int], None] = lambda number, size: None
    size: int = 0
    made: int = field(default=0, init=False)
    """Frames that this run has written."""

    def __call__(self, steps: Iterator[Step]) -> None:
        """Write all; an exception of the iterator leaves the piece that is begun away.

        Raises:
            RunFailed: the disk is about to be full, or refuses (`NotWritten`), or an encoder does.
        """
        for number, group in groupby(steps, key=lambda step: step.frame.number // self.frames):
            last = self._piece(number, group)
            if last is not None:
                self._keep_room(last.frame.number + 1)

    def _piece(self, number: int, group: Iterator[Step]) -> Step | None:
        """The state is kept before the piece is there, so that a piece that is there has its state."""
        last: Step | None = None
        with whole(self.work.piece(number), durable=False) as file:
            packets = PacketWriter(file)
            encoder = Encoder(self.writing) if self.writing else None
            before = self.size
            for step in group:
                array = self._finished(step)
                if encoder:
                    for packet in encoder.encode(array, step.frame.pts, step.frame.duration):
                        packets.write(packet)
                    self.size = before + packets.size
                else:
                    self._picture(step.frame.number, array)
                last = step
                self.made += 1
                self.told(step.frame.number, self.size)
            if encoder:
                for packet in encoder.end():
                    packets.write(packet)
                self.size = before + packets.size
            packets.end()
            if last is not None:
                self.work.save_state(number, {"filter": self.filter.state(), "network": saved(last.memory)})
        return last

    def _finished(self, step: Step) -> np.ndarray:
        """A result (H, W, 3 or 4) after the filter."""
        source, result = step.frame.array, step.result
        planes = result.shape[2]
        alpha = result[..., -1:] if planes in (2, 4) else None
        colours = result[..., :3] if planes > 2 else result[..., :1].repeat(3, 2)
        made = self.filter(np.ascontiguousarray(source[..., :3]), np.ascontiguousarray(colours))
        if self.preview:
            return side_by_side(source[..., :3], made)
        if self.alpha:
            plane = alpha if alpha is not None else _resized(source[..., 3:], made)
            made = np.concatenate([made, plane], axis=2)
        return made

    def _picture(self, number: int, array: np.ndarray) -> None:
        assert self.folder is not None
        path = self.folder / self.name(number)
        write_picture(path, Picture(array, alpha=array.shape[2] == 4))
        self.size += path.stat().st_size

    def _keep_room(self, done: int) -> None:
        """End before the disk is full: what is left to write is as large as what is written, for its frames.

        A film needs its room twice, for the pieces and for the whole.
        """
        left = 1 if self.total is None else max(0, self.total - done)
        rest = self.size / done * left + (self.size / done * (done + left) if self.writing else 0)
        folder = self.folder or self.work.folder
        free = shutil.disk_usage(folder).free - RESERVE
        if rest > free:
            raise RunFailed(
                f"{folder.parent}: the rest of the film needs {rest / 1e9:.2f} GB, and {max(0, free) / 1e9:.2f} GB are "
                "free there; make room, and the same command goes on"
            )


def _resized(plane: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The transparency of a source (H, W, 1) at a result's size, where the network was not given it."""
    height, width = like.shape[:2]
    return cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]

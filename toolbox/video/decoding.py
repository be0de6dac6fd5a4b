"""Frames out of a stream, in order, each with whole time stamps; damaged ones are told, and missing ones noticed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from toolbox.video.opening import pyav, reason_of


@dataclass(frozen=True)
class Decoded:
    """PyAV's frame, or None where none could be decoded; its time stamp and duration in the stream's time base."""

    frame: Any
    pts: int
    duration: int
    problem: str | None = None


class Decoder:
    """Decodes the pictures of a container from where it stands.

    `Decoder(container, stream)` is iterated once. Time stamps that a file lacks are counted on from the last, and those
    that run backwards are put a tick after it; `corrected` counts them.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self.container, self.stream = container, stream
        self.decoder = _decoder_of(stream)
        self.corrected = 0
        self.step = _step_of(stream)
        self._last: int | None = None
        self._due: list[int] = []
        """Time stamps of packets whose frames have not come yet."""
        self._reliable, self._failed, self._reason = True, False, ""
        self._length = self.step
        """Ticks that the last frame is shown."""

    def __iter__(self) -> Iterator[Decoded]:
        wrong = pyav().error.FFmpegError
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except wrong as error:  # the file is cut short, or broken off
                self._fail(error)
                packet = None
            if packet is not None and packet.size:
                if packet.pts is None:
                    self._reliable = False
                elif not packet.is_discard:
                    heappush(self._due, packet.pts)
            try:
                frames = self.decoder.decode(packet if packet is not None and packet.size else None)
            except EOFError:  # it was emptied before
                frames = []
            except wrong as error:
                self._fail(error)
                frames = []
            for frame in frames:
                yield from self._told(frame)
            if packet is None or not packet.size:
                break
        yield from self._missing(None)

    def _fail(self, error: BaseException) -> None:
        self._failed, self._reason = True, f" ({reason_of(error)})"

    def _told(self, frame: Any) -> Iterator[Decoded]:
        """The frames that should have come before, and this one."""
        if frame.pts is not None:
            yield from self._missing(frame.pts)
        yield self._stamped(frame, frame.pts, "it is damaged" if frame.is_corrupt else None)

    def _missing(self, until: int | None) -> Iterator[Decoded]:
        """What packets promised, and no frame came of, before a time.

        Streams whose frames take two packets, one for each field, promise one between two frames.
        """
        while self._due and (until is None or self._due[0] <= until):
            due = heappop(self._due)
            between = self._last is not None and due - self._last < 0.75 * min(self.step, self._length)
            if due != until and self._reliable and not between and not (self._last is None and not self._failed):
                yield self._stamped(None, due, f"it cannot be decoded{self._reason}")

    def _stamped(self, frame: Any, pts: int | None, problem: str | None) -> Decoded:
        if pts is None or (self._last is not None and pts <= self._last):
            self.corrected += pts is not None
            pts = 0 if self._last is None else self._last + (self.step if pts is None else 1)
        self._last, self._length = pts, int(getattr(frame, "duration", 0) or 0) or self.step
        return Decoded(frame, pts, self._length, problem)


def _step_of(stream: Any) -> int:
    """Ticks of the time base from frame to frame, as the file guesses."""
    rate = stream.guessed_rate or stream.average_rate or 25
    return max(1, round(1 / (rate * stream.time_base)))


def _decoder_of(stream: Any) -> Any:
    """The stream's own decoder; of VP8 and VP9 with transparency libvpx's, since FFmpeg's leaves it out."""
    name = stream.codec_context.name
    if has_side_alpha(stream):
        return pyav().CodecContext.create({"vp8": "libvpx", "vp9": "libvpx-vp9"}[name], "r")
    stream.thread_type = "AUTO"
    return stream


def has_side_alpha(stream: Any) -> bool:
    """Whether transparency lies beside the pictures, as in WebM."""
    return stream.codec_context.name in ("vp8", "vp9") and str(stream.metadata.get("alpha_mode")) == "1"

"""A film as pixels: upright frames in RGB, 8 or 16 bits, with their times and what the file says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.io.errors import UserError
from toolbox.io.images import MAX_PIXELS
from toolbox.video.colours import Colours, colours_of, to_array
from toolbox.video.decoding import Decoded, Decoder, has_side_alpha
from toolbox.video.opening import failures, opened, pictures_of, reason_of
from toolbox.video.turning import turn_of

_FASTEST = 240
"""Frames a second beyond which a file's guess is taken for a mistake."""
_FRAME_BYTES = 8
"""A frame in which nothing moves takes more in any file."""
_SHORT = Fraction(1, 2)
"""Seconds by which a header may be wrong: edit lists and sound move beginnings and ends a little."""
_HELD = 64
"""Damaged frames at the beginning that wait for a sound one."""
_MARGIN = 2
"""Seconds before a beginning that decoding starts at, so that the frames from there do not lean on missing ones."""


@dataclass(frozen=True)
class VideoFrame:
    """One frame: pixels (H, W, 3 or 4) uint8 or uint16 in RGB, upright, over the type's whole range.

    Args:
        number: from 0, among the frames that are read.
        pts, duration: in the film's `time_base`.
        time: seconds from the film's beginning.
        problem: what is wrong with it; then the pixels are its neighbour's.
    """

    array: np.ndarray
    number: int
    pts: int
    duration: int
    time: Fraction
    problem: str | None = None


class Video:
    """An opened film; iterating gives every `VideoFrame`.

    Attributes:
        width, height: upright.
        depth: 8, or 16 where the file has more than 8 bits.
        bits: of a channel, in the file.
        alpha: whether there is a fourth channel, transparency.
        pixel_format: FFmpeg's name of the file's.
        colours: what the numbers stand for.
        turn: how the file's frames are turned; those that are given are turned already.
        aspect: width of a pixel over its height, upright, or None where it is not said.
        time_base: seconds of a tick.
        start: the time of the film's beginning, in seconds as the file counts.
        rate: frames a second, about.
        seconds: of what is read, about; None where the file does not say.
        frame_count_estimate: frames that are read, about; None where the file does not say.
        first_frame: PyAV's, for what lies beside its pixels.
        interlaced: whether the first frame says that it is made of two fields.
        corrected: time stamps that ran backwards, so far.
        resized: a line on frames of another size than the first, which are given in that one's; None so far.
    """

    def __init__(self, path: Path, container: Any, *, first: float | None, last: float | None, max_pixels: int) -> None:
        self.path, self.container, self.first, self.last = path, container, first, last
        self.stream = pictures_of(container, path)
        self._check(self.stream.codec_context.width, self.stream.codec_context.height, max_pixels)
        self.max_pixels = max_pixels
        self.time_base: Fraction = self.stream.time_base
        self.start = Fraction(container.start_time or 0, 1_000_000)
        self._seek()
        self._decoder = Decoder(container, self.stream)
        self._frames = iter(self._decoder)
        self._held: list[Decoded] = []
        self._stopped = False
        self.resized: str | None = None
        self.end: Fraction | None = None
        """When the last frame that was given ends, in seconds from the film's beginning."""
        frame = self._first_frame()
        self.first_frame, self.turn = frame, turn_of(frame)
        self.coded_size = (frame.width, frame.height)
        self.width, self.height = frame.width, frame.height
        if self.turn.sideways:
            self.width, self.height = self.height, self.width
        self.pixel_format: str = frame.format.name
        self.bits = max((each.bits for each in frame.format.components), default=8)
        self.depth = 16 if self.bits > 8 else 8
        self.alpha = has_alpha(frame.format)
        self.colours: Colours = colours_of(frame, self.height)
        self.interlaced = bool(frame.interlaced_frame)
        aspect: Fraction | None = (
            self.stream.sample_aspect_ratio or self.stream.codec_context.sample_aspect_ratio or None
        )
        self.aspect = 1 / aspect if aspect and self.turn.sideways else aspect
        rates = [Fraction(each) for each in (self.stream.average_rate, self.stream.guessed_rate) if each]
        self.rate = next((rate for rate in rates if 1 <= rate <= _FASTEST), Fraction(25))
        self.seconds = self._seconds()
        self.frame_count_estimate = None if self.seconds is None else max(1, round(self.seconds * self.rate))
        if first is None and last is None and self.stream.frames:
            self.frame_count_estimate = int(self.stream.frames)

    def __iter__(self) -> Iterator[VideoFrame]:
        return self.frames()

    @property
    def corrected(self) -> int:
        """Time stamps that ran backwards, or stood still, so far: each is put a tick after the one before."""
        return self._decoder.corrected

    @property
    def cut_short(self) -> str | None:
        """That the frames, read to their end, fall short of what the file's header says; None where they do not.

        The header's word on the pictures alone counts: sound may go on behind them.
        """
        said = self._said()
        if said is None or self.end is None or self.last is not None or said - self.end < max(_SHORT, 3 / self.rate):
            return None
        ends = f"ends at second {float(self.end):.2f}, and its header says {float(said):.2f}"
        return f"{self.path}: {ends}: the file is cut short, or its last picture stands so long"

    def _said(self) -> Fraction | None:
        """How long the pictures last, by the stream's own word, or in Matroska its tag, which says when they end."""
        if self.stream.duration:
            return self.stream.duration * self.time_base
        tag = str(self.stream.metadata.get("DURATION", ""))
        if not re.fullmatch(r"\d{2}:\d{2}:\d{2}(\.\d+)?", tag):
            return None
        hours, minutes, seconds = tag.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds) - self.start

    def frames(self, start: int = 0) -> Iterator[VideoFrame]:
        """The frames from number `start` on, once. Those before are decoded, and no more.

        A frame that is damaged or missing comes as its neighbour's pixels, with its `problem`: the one before,
        or of the first ones the one after.

        Raises:
            UserError: a frame is too large.
        """
        neighbour: Any = None
        waiting: list[tuple[int, Decoded]] = []
        number = -1
        for decoded in self._within():
            number += 1
            if decoded.frame is not None and (decoded.problem is None or neighbour is None):
                sound = decoded.problem is None
                for earlier, each in waiting if sound else []:
                    if earlier >= start:
                        yield self._made(decoded.frame, earlier, each)
                if sound:
                    neighbour, waiting = decoded.frame, []
                else:
                    waiting.append((number, decoded))
                    if len(waiting) >= _HELD:  # so many are damaged that they are taken as they are
                        yield from self._as_they_are(waiting, start)
                        neighbour, waiting = decoded.frame, []
                    continue
            if neighbour is None:
                waiting.append((number, decoded))
            elif number >= start:
                yield self._made(neighbour, number, decoded)
        yield from self._as_they_are(waiting, start)

    def _as_they_are(self, waiting: list[tuple[int, Decoded]], start: int) -> Iterator[VideoFrame]:
        """Frames of which none is sound: what could be decoded is better than nothing."""
        for earlier, each in waiting:
            frame = each.frame or next((other.frame for _, other in waiting if other.frame is not None), None)
            if frame is not None and earlier >= start:
                yield self._made(frame, earlier, each)

    def stop(self) -> None:
        """End the frames after the one that is being decoded; for other threads."""
        self._stopped = True

    def time_of(self, pts: int) -> Fraction:
        """Seconds from the film's beginning."""
        return pts * self.time_base - self.start

    def _made(self, frame: Any, number: int, decoded: Decoded) -> VideoFrame:
        size = None if (frame.width, frame.height) == self.coded_size else self.coded_size
        if size:
            self._check(frame.width, frame.height, self.max_pixels)
            self.resized = self.resized or (
                f"{self.path}: from second {float(self.time_of(decoded.pts)):.2f} on has frames of {frame.width}x"
                f"{frame.height}, not of {size[0]}x{size[1]}; they are stretched to the first one's size"
            )
        colours = self.colours if size is None else colours_of(frame, self.height)
        try:
            array = to_array(frame, colours, deep=self.depth == 16, alpha=self.alpha, size=size)
        except failures() as error:
            raise UserError(f"{self.path}: its pixels cannot be converted ({reason_of(error)})") from None
        time = self.time_of(decoded.pts)
        self.end = time + max(decoded.duration, 0) * self.time_base
        return VideoFrame(self.turn(array), number, decoded.pts, decoded.duration, time, decoded.problem)

    def _within(self) -> Iterator[Decoded]:
        """What is decoded between the first and the last second."""
        held, self._held = self._held, []
        for source in (held, self._frames):
            for decoded in source:
                if self._stopped:
                    return
                time = self.time_of(decoded.pts)
                if self.first is not None and time < self.first:
                    continue
                if self.last is not None and time >= self.last:
                    return
                yield decoded

    def _first_frame(self) -> Any:
        """The first frame that can be decoded; it stays at the head of those that are read."""
        for decoded in self._frames:
            if self.first is None or self.time_of(decoded.pts) >= self.first:
                self._held.append(decoded)
                if decoded.frame is not None:
                    return decoded.frame
        if self.first:
            raise UserError(f"{self.path}: ends before second {self.first:g}; choose a smaller --from")
        raise UserError(f"{self.path}: none of its frames can be decoded")

    def _seek(self) -> None:
        """Go to a frame before the first second, where the file allows it; else decoding begins at its beginning."""
        if self.first is not None and self.first > _MARGIN:
            try:
                self.container.seek(int((self.first - _MARGIN + self.start) * 1_000_000), backward=True)
            except (OSError, *failures()):
                return

    def _seconds(self) -> Fraction | None:
        length = None
        if self.stream.duration:
            length = self.stream.duration * self.time_base
        elif self.container.duration:
            length = Fraction(self.container.duration, 1_000_000)
        if length is not None and length * self.rate * _FRAME_BYTES > self.path.stat().st_size:
            length = None  # a header may claim a million years
        if self.last is not None:
            length = min(Fraction(self.last), length) if length else Fraction(self.last)
        return None if length is None else max(Fraction(0), length - Fraction(self.first or 0))

    def _check(self, width: int, height: int, max_pixels: int) -> None:
        if width * height > max_pixels:
            raise UserError(
                f"{self.path}: frames of {width:,}x{height:,} pixels are more than {max_pixels:,}; "
                "--max-pixels N allows more"
            )


def has_alpha(pixel_format: Any) -> bool:
    """Whether a pixel format of PyAV's holds transparency."""
    return any(each.is_alpha for each in pixel_format.components) or pixel_format.name == "pal8"


@contextmanager
def open_video(
    path: str | Path, *, first: float | None = None, last: float | None = None, max_pixels: int = MAX_PIXELS
) -> Iterator[Video]:
    """Open a film, to iterate over its frames from second `first` on and before second `last`.

    Raises:
        UserError: naming the file that is missing, damaged, no film, or has frames of more than `max_pixels`; or that
            PyAV is not installed.
    """
    path = Path(path)
    with opened(path) as container:
        try:
            video = Video(path, container, first=first, last=last, max_pixels=max_pixels)
        except (OSError, *failures()) as error:
            raise (
                error
                if isinstance(error, UserError)
                else UserError(f"{path}: cannot be read as a film ({reason_of(error)})")
            ) from None
        yield video


__all__ = ["Video", "VideoFrame", "has_alpha", "has_side_alpha", "open_video"]

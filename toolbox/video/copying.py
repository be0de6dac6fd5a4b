"""What a film holds beside its pictures, carried over packet by packet: sound, subtitles, attachments, data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from toolbox.video.holding import add_stream, attach_cover, is_cover, is_of_chapters, problem_of
from toolbox.video.opening import pictures_of, pyav

_OWN_TAGS = (
    "major_brand", "minor_version", "compatible_brands", "encoder", "duration", "handler_name", "vendor_id",
    "alpha_mode",
)  # fmt: skip
"""What a muxer or an encoder says of itself, which is not true of the result."""
_OWN_PREFIXES = ("_statistics", "bps", "number_of_", "duration", "hw_", "sw_")
"""Matroska's statistics of a track: of our pictures others."""

AROUND = 10
"""Seconds before and after a part that are looked through, since streams lie beside each other only about."""


@dataclass(frozen=True)
class Cut:
    """The part of a film that is kept, and by how much its times move, all in seconds from its beginning."""

    first: float | None = None
    last: float | None = None
    start: Fraction = Fraction(0)
    """The time of the film's beginning as the file counts."""

    @property
    def shift(self) -> Fraction:
        """What is taken off every time stamp: a part begins at 0, a whole film where it began."""
        return Fraction(0) if self.first is None else self.start + Fraction(self.first)

    def holds(self, time: Fraction) -> bool:
        """Whether a time as the file counts lies in it."""
        seconds = time - self.start
        return (self.first is None or seconds >= self.first) and (self.last is None or seconds < self.last)


@dataclass
class Copies:
    """Streams that are carried over: of the input's number, the output's; and what cannot be, one line each."""

    streams: dict[int, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def add_streams(output: Any, source: Any, path: Path, ending: str) -> Copies:
    """Add a stream of the output for each of the source's but its pictures."""
    copies, pictures, container = Copies(), pictures_of(source, path), output.format.name
    held = ending.removeprefix(".")
    for stream in source.streams:
        if stream.index == pictures.index or is_of_chapters(stream, source):
            continue
        problem = problem_of(stream, source, container)
        if problem is not None:
            way = "; --container mkv holds it" if problem_of(stream, source, "matroska") is None else ""
            copies.notes.append(f"{path}: {_named(stream)} is left out: {held} {problem}{way}")
        elif container == "matroska" and is_cover(stream):
            attach_cover(output, stream, path)
        else:
            copies.streams[stream.index] = made = add_stream(output, stream)
            if stream.type != "attachment":
                made.metadata.update(_tags(stream.metadata))
    if container == "mpegts" and (chapters := source.chapters()):
        copies.notes.append(
            f"{path}: {len(chapters)} chapters are left out: {held} does not hold them; --container mkv does"
        )
    return copies


def copy_tags(source: Any, output: Any, pictures: Any, target: Any, cut: Cut) -> None:
    """Carry over the file's title and the like, those of its pictures, and the chapters."""
    output.metadata.update(_tags(source.metadata))
    target.metadata.update(_tags(pictures.metadata))
    target.disposition = pictures.disposition
    chapters = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        start, end = (Fraction(chapter[name]) * base for name in ("start", "end"))
        low = cut.start + Fraction(cut.first or 0)
        high = None if cut.last is None else cut.start + Fraction(cut.last)
        if end <= low or (high is not None and start >= high):
            continue
        start, end = max(start, low) if cut.first is not None else start, end if high is None else min(end, high)
        times = {name: int((each - cut.shift) / base) for name, each in (("start", start), ("end", end))}
        chapters.append({**chapter, **times, "time_base": base})
    if chapters:
        output.set_chapters(chapters)


def copied_packets(source: Any, copies: Copies, cut: Cut) -> Iterator[tuple[Fraction, Any]]:
    """The packets of copied streams in the file's order, each with its time in seconds, moved as the cut says."""
    wanted = [stream for stream in source.streams if stream.index in copies.streams and stream.type != "attachment"]
    if not wanted:
        return
    covers = {stream.index for stream in wanted if is_cover(stream)}
    wrong = pyav().error.FFmpegError
    if cut.first is not None and cut.first > AROUND:
        with suppress(wrong):  # a file that cannot be searched is read from its beginning
            source.seek(int((cut.first - AROUND + cut.start) * 1_000_000), backward=True)
    packets, at, past = source.demux(wanted), Fraction(0), set[int]()
    while True:
        try:
            packet = next(packets, None)
        except wrong:  # the file is cut short; the pictures' reader tells it
            return
        if packet is None:
            return
        if not packet.size:
            continue
        if packet.stream.index in covers:  # without a time, and of every part
            packet.pts = packet.dts = 0
            packet.stream = copies.streams[packet.stream.index]
            yield at, packet
            continue
        base = packet.time_base or packet.stream.time_base
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:
            continue
        if cut.last is not None and stamp * base - cut.start > cut.last + AROUND:
            past.add(packet.stream.index)
            if len(past) == len(wanted) - len(covers):  # files need not be interleaved: each stream has its own end
                return
            continue
        shown = (packet.pts if packet.pts is not None else stamp) * base
        if not cut.holds(shown):
            continue
        ticks = round(cut.shift / base)
        packet.pts = None if packet.pts is None else packet.pts - ticks
        packet.dts = None if packet.dts is None else packet.dts - ticks
        at = stamp * base - cut.shift
        packet.stream = copies.streams[packet.stream.index]
        yield at, packet


def _tags(metadata: dict[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in metadata.items()
        if name.lower() not in _OWN_TAGS and not name.lower().startswith(_OWN_PREFIXES)
    }  # fmt: skip


def _named(stream: Any) -> str:
    codec = stream.codec_context.name if stream.codec_context else "unknown"
    kind = {"video": "pictures", "subtitle": "subtitles"}.get(stream.type, stream.type)
    return f"stream {stream.index} ({kind}, {codec})"

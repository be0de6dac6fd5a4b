"""What a film holds beside its pictures, carried over packet by packet: sound, subtitles, attachments, data."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from toolbox.video.opening import failures, pictures_of, pyav

_OWN_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "handler_name", "vendor_id")
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
    copies, pictures = Copies(), pictures_of(source, path)
    for stream in source.streams:
        if stream.index == pictures.index or _is_of_chapters(stream, source):
            continue
        problem = _problem_of(stream, output.format.name)
        if problem is None:
            copies.streams[stream.index] = _added(output, stream)
        else:
            way = "" if ending == ".mkv" else "; --container mkv holds most"
            held = ending.removeprefix(".")
            copies.notes.append(f"{path}: {_named(stream)} is left out: {held} {problem}{way}")
    return copies


def copy_tags(source: Any, output: Any, pictures: Any, target: Any, cut: Cut) -> None:
    """Carry over the file's title and the like, those of its pictures, and the chapters."""
    output.metadata.update(_tags(source.metadata))
    target.metadata.update(_tags(pictures.metadata))
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
        base = packet.time_base or packet.stream.time_base
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:
            continue
        if cut.last is not None and stamp * base - cut.start > cut.last + AROUND:
            past.add(packet.stream.index)
            if len(past) == len(wanted):  # files need not be interleaved: each stream has its own end
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


def _problem_of(stream: Any, container: str) -> str | None:
    """Why a container does not take a stream: found by writing a header with it."""
    av = pyav()
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            _added(trial, stream)
            trial.start_encoding()
    except (OSError, AttributeError, NotImplementedError, *failures()):  # all of PyAV's ways to say that
        return "does not hold it"
    return None


def _added(output: Any, stream: Any) -> Any:
    if stream.type == "attachment":
        tags = stream.metadata
        return output.add_attachment(tags.get("filename", "attachment"), tags.get("mimetype", ""), bytes(stream.data))
    made = output.add_stream_from_template(stream, opaque=True) if stream.codec_context else (
        output.add_stream_from_template(stream)
    )  # fmt: skip
    made.metadata.update(_tags(stream.metadata))
    made.disposition = stream.disposition
    made.time_base = stream.time_base
    return made


def _tags(metadata: dict[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in metadata.items()
        if name.lower() not in _OWN_TAGS and not name.lower().startswith(_OWN_PREFIXES)
    }  # fmt: skip


def _is_of_chapters(stream: Any, source: Any) -> bool:
    """Whether a track holds the names of chapters, which are carried over as chapters: so MP4 keeps them."""
    return stream.type == "data" and stream.name == "bin_data" and bool(source.chapters())


def _named(stream: Any) -> str:
    codec = stream.codec_context.name if stream.codec_context else "unknown"
    kind = {"video": "pictures", "subtitle": "subtitles"}.get(stream.type, stream.type)
    return f"stream {stream.index} ({kind}, {codec})"

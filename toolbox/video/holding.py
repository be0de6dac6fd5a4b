"""What a container takes of what lies beside a film's pictures: streams, covers and chapters."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from toolbox.video.opening import failures, opened, pictures_of, pyav

_IN_TS = {
    *("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "av1", "vc1", "dirac", "cavs"),
    *("mp1", "mp2", "mp3", "aac", "aac_latm", "ac3", "eac3", "dts", "truehd", "opus", "s302m"),
    *("dvb_subtitle", "dvb_teletext", "klv", "timed_id3", "scte_35"),
}
"""What a transport stream has a name for; FFmpeg writes all else as bytes that nobody can read back."""
_MIME = {"mjpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "tiff": "image/tiff"}


def problem_of(stream: Any, source: Any, container: str) -> str | None:
    """Why a container (FFmpeg's name) does not take a stream of `source`: found by writing a header with it."""
    av = pyav()
    if container == "matroska" and is_cover(stream):
        return None if codec_of(stream) in _MIME else "does not hold it"
    if container == "mov" and is_cover(stream):  # FFmpeg takes one, and leaves it out
        return "does not hold it"
    if container == "mpegts" and source.format.name != "mpegts" and codec_of(stream) not in _IN_TS:
        return "does not hold it"
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            add_stream(trial, stream)
            trial.start_encoding()
    except (OSError, AttributeError, NotImplementedError, *failures()):  # all of PyAV's ways to say that
        return "does not hold it"
    return None


def loses(source: Any, path: Path, container: str) -> int:
    """How many streams of a film, beside its pictures, a container (FFmpeg's name) does not take."""
    pictures = pictures_of(source, path)
    return sum(
        problem_of(each, source, container) is not None
        for each in source.streams
        if each.index != pictures.index and not is_of_chapters(each, source)
    )


def add_stream(output: Any, stream: Any) -> Any:
    """Add a stream like one of a source."""
    if stream.type == "attachment":
        tags = stream.metadata
        return output.add_attachment(tags.get("filename", "attachment"), tags.get("mimetype", ""), bytes(stream.data))
    made = output.add_stream_from_template(stream, opaque=True) if stream.codec_context else (
        output.add_stream_from_template(stream)
    )  # fmt: skip
    made.disposition = stream.disposition
    made.time_base = stream.time_base
    return made


def attach_cover(output: Any, stream: Any, path: Path) -> None:
    """Add a cover of a film to a Matroska file, whose covers are attachments."""
    codec = codec_of(stream)
    with opened(path) as again:  # its packet is the first, and `source` is to be read from its beginning
        for packet in again.demux(again.streams[stream.index]):
            if packet.size:
                name = stream.metadata.get("filename", f"cover.{_MIME[codec].partition('/')[2].replace('jpeg', 'jpg')}")
                output.add_attachment(name, _MIME[codec], bytes(packet))
            return


def is_cover(stream: Any) -> bool:
    """Whether a stream is one still picture, shown for the file."""
    return stream.type == "video" and bool(stream.disposition & pyav().stream.Disposition.attached_pic)


def is_of_chapters(stream: Any, source: Any) -> bool:
    """Whether a track holds the names of chapters, which are carried over as chapters: so MP4 keeps them."""
    return stream.type == "data" and stream.name == "bin_data" and bool(source.chapters())


def codec_of(stream: Any) -> str:
    """FFmpeg's name of a stream's codec, whoever decodes it."""
    context = stream.codec_context
    return context.codec.canonical_name if context else str(getattr(stream, "name", None) or "unknown")

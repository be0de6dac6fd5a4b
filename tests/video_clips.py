"""Clips that films are tested with, made by PyAV: variable rate, HDR, rotation, odd sizes, sound and subtitles."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

BARS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (235, 235, 235), (16, 16, 16), (128, 128, 128))


def bars(width: int = 96, height: int = 64) -> np.ndarray:
    """Six columns of colour (H, W, 3) uint8."""
    columns = (np.arange(width) * len(BARS)) // width
    return np.broadcast_to(np.array(BARS, np.uint8)[columns], (height, width, 3)).copy()


def moving(number: int, width: int = 96, height: int = 64) -> np.ndarray:
    """Frame `number` of a drifting pattern (H, W, 3) uint8."""
    y, x = np.mgrid[:height, :width]
    wave = [np.sin((x + number * 2 + shift) / 9) + np.cos((y - number) / 7 + shift) for shift in (0, 2, 4)]
    return np.rint((np.stack(wave, -1) + 2) * 60).astype(np.uint8)


def clip(
    path: Path,
    *,
    frames: int = 12,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    times: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 600),
    rotation: int | None = None,
    tags: tuple[int, int, int, int] | None = (1, 1, 1, 1),
    picture: Any = moving,
    options: dict[str, str] | None = None,
    sound: int = 0,
    subtitles: str | None = None,
    attachment: bytes | None = None,
    chapters: bool = False,
    aspect: Fraction | None = None,
    alpha: bool = False,
) -> Path:
    """Write a clip.

    Args:
        times: time stamps, in ticks of the time base; else 24 frames a second or so.
        tags: matrix, range, primaries and curve, as H.273 numbers them; None says nothing.
        sound: how many tracks of it.
        subtitles: a codec's name, such as `subrip` or `mov_text`.
    """
    import av

    times = times or [25 * number for number in range(frames)]
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(
            codec, rate=24, options={**({"crf": "8"} if "26" in codec else {}), **(options or {})}
        )
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        stream.codec_context.time_base = time_base
        stream.codec_context.thread_count = 1
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if tags:
            context = stream.codec_context
            context.colorspace, context.color_range, context.color_primaries, context.color_trc = tags
        voices = [out.add_stream("aac", rate=16_000) for _ in range(sound)]
        for number, voice in enumerate(voices):
            voice.metadata["language"] = ("eng", "deu", "fra")[number]
        texts = _subtitles(out, subtitles) if subtitles else None
        if attachment is not None:
            out.add_attachment("letter.ttf", "font/ttf", attachment)
        if chapters:
            out.set_chapters([
                {"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}},
                {"id": 2, "start": 200, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "Two"}},
            ])  # fmt: skip
        for number, pts in enumerate(times):
            made = picture(number, *size)
            if alpha:
                made = np.concatenate([made, made[..., :1]], 2)
            out.mux(stream.encode(_framed(made, pts, time_base, pixel_format, tags)))
        out.mux(stream.encode(None))
        for number, voice in enumerate(voices):
            out.mux(_spoken(voice, number, 8))
        if texts:
            for packet in texts:
                out.mux(packet)
    return path


def _framed(made: np.ndarray, pts: int, base: Fraction, pixel_format: str, tags: Any) -> Any:
    import av

    deep = made.dtype == np.uint16
    name = {(3, False): "rgb24", (4, False): "rgba", (3, True): "rgb48le", (4, True): "rgba64le"}[made.shape[2], deep]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(made), format=name)
    matrix = (5 if tags[0] in (5, 6) else tags[0]) if tags else 1
    ranged = tags[1] if tags else 1
    if not pixel_format.startswith(("gbr", "bgr", "rgb")):
        frame = frame.reformat(
            format=pixel_format, dst_colorspace=matrix, dst_color_range=ranged, interpolation=4 | 8192 | 16384 | 262144
        )
    else:
        frame = frame.reformat(format=pixel_format)
    if tags:
        frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc = tags
    else:
        frame.colorspace, frame.color_range = 2, 0
    frame.pts, frame.time_base, frame.duration = pts, base, 25
    return frame


def _spoken(voice: Any, number: int, count: int) -> list[Any]:
    import av

    made = []
    for block in range(count):
        samples = np.sin(np.arange(1024) * (0.05 + 0.02 * number) + block).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([samples, samples]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = 16_000, block * 1024
        made += voice.encode(frame)
    return made + voice.encode(None)


def _subtitles(out: Any, codec: str) -> list[Any]:
    """A track of two lines, and its packets: from a small Matroska or WebVTT file that FFmpeg reads."""
    import av

    text = "1\n00:00:00,000 --> 00:00:00,200\nfirst line\n\n2\n00:00:00,200 --> 00:00:00,400\nsecond line\n"
    held = io.BytesIO(text.encode())
    source = av.open(held, "r", format="srt")
    given = source.streams.subtitles[0]
    if codec == "subrip":
        stream = out.add_stream_from_template(given, opaque=True)
        packets = [packet for packet in source.demux(given) if packet.size]
    else:
        stream = out.add_mux_stream(codec)
        packets = []
        for packet in source.demux(given):
            if packet.size:
                line = bytes(packet)
                moved = av.Packet(len(line).to_bytes(2, "big") + line)
                moved.pts, moved.dts, moved.duration = packet.pts, packet.dts, packet.duration
                moved.time_base = given.time_base
                packets.append(moved)
    stream.metadata["language"] = "eng"
    for packet in packets:
        packet.stream = stream
    return packets

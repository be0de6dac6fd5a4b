"""Encoded pieces become one film, and what a film holds beside its pictures comes along unchanged."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolbox.io.errors import UserError
from toolbox.io.files import whole
from toolbox.video.codecs import CODECS, codec_for, ending_for, pixel_format_for
from toolbox.video.copying import Cut
from toolbox.video.encoding import Encoder, Writing, check_choice
from toolbox.video.joining import join
from toolbox.video.opening import pyav
from toolbox.video.packets import Index, PacketWriter, read_index, read_packets
from toolbox.video.reading import VideoFrame, open_video
from video_clips import BARS, bars, clip

pytest.importorskip("av")
VARIABLE = [0, 25, 50, 100, 110, 120, 300, 301, 302, 303, 330, 400, 404, 600]


def still(number: int, width: int, height: int) -> np.ndarray:
    return bars(width, height)


def made(
    source: Path, codec: str, *, container: str | None = None, piece: int = 5, cut: Cut | None = None
) -> tuple[Path, list[VideoFrame], list[str]]:
    """A film encoded anew in pieces, its frames as they were read, and the notes."""
    cut, kind, notes = cut or Cut(), CODECS[codec], []
    with open_video(source, first=cut.first, last=cut.last) as video:
        ending = ending_for(kind, source, container)
        size = (video.width, video.height)
        name = pixel_format_for(kind, video.pixel_format, alpha=video.alpha, size=size)
        rgb = pyav().VideoFormat(name).is_rgb
        tags = video.colours.for_rgb() if rgb else video.colours.for_yuv(size[1])
        writing = Writing(codec, ending, *size, name, tags, video.time_base, video.rate, video.aspect)
        frames, cut = list(video), replace(cut, start=video.start)
    pieces = []
    for first in range(0, len(frames), piece):
        pieces.append(source.with_name(f"{source.stem}{codec}{first}.piece"))
        encoded(writing, frames[first : first + piece], pieces[-1])
    target = source.with_name(f"{source.stem}_{codec}{ending}")
    join(target, writing, pieces, source, cut, notes.append)
    return target, frames, notes


def encoded(writing: Writing, frames: Sequence[VideoFrame], path: Path) -> None:
    encoder = Encoder(writing)
    with whole(path, durable=False) as file:
        packets = PacketWriter(file)
        for frame in frames:
            for packet in encoder.encode(frame.array, frame.pts, frame.duration):
                packets.write(packet)
        for packet in encoder.end():
            packets.write(packet)
        packets.end()


def seen(path: Path) -> tuple[list[VideoFrame], Any]:
    with open_video(path) as video:
        return list(video), video


def packets_of(path: Path, kind: str, number: int = 0) -> list[tuple[str, Fraction | None]]:
    import av

    with av.open(str(path)) as file:
        stream = getattr(file.streams, kind)[number]
        return [
            (hashlib.sha256(bytes(each)).hexdigest(), None if each.pts is None else each.pts * each.time_base)
            for each in file.demux(stream) if each.size
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("h264", None),
        ("hevc", None),
        ("av1", None),
        ("prores", None),
        ("ffv1", "mkv"),
        ("h264", "mkv"),
        ("h264", "mov"),
    ],
)
def test_time_stamps_of_a_variable_rate_survive_every_codec(tmp_path: Path, codec: str, container: str | None) -> None:
    base = Fraction(1, 1000) if container == "mkv" else Fraction(1, 600)
    source = clip(
        tmp_path / ("a.mkv" if container == "mkv" else "a.mp4"), times=VARIABLE, time_base=base, picture=still
    )
    target, frames, notes = made(source, codec, container=container)
    back, video = seen(target)
    assert [each.time + video.start for each in back] == [Fraction(pts) * base for pts in VARIABLE] and not notes
    assert video.colours.matrix == 1 and video.colours.primaries == 1 and video.colours.curve == 1
    scale = 257 if back[0].array.dtype == np.uint16 else 1
    assert np.abs(back[7].array[32, 8::16] / scale - np.array(frames[7].array[32, 8::16])).max() <= 2


def test_two_tracks_of_sound_subtitles_and_chapters_come_along_packet_by_packet(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", sound=2, subtitles="mov_text", chapters=True, aspect=Fraction(4, 3))
    target, _, notes = made(source, "h264")
    assert not notes
    for number in (0, 1):
        assert packets_of(target, "audio", number) == packets_of(source, "audio", number)
    assert packets_of(target, "subtitles") == packets_of(source, "subtitles")
    import av

    with av.open(str(target)) as one, av.open(str(source)) as other:
        assert [each["metadata"]["title"] for each in one.chapters()] == ["One", "Two"]
        times = [[float(each["start"] * each["time_base"]) for each in file.chapters()] for file in (one, other)]
        assert times[0] == times[1] == [0, 0.2]
        assert [each.metadata["language"] for each in one.streams.audio] == ["eng", "deu"]
    assert seen(target)[1].aspect == Fraction(4, 3)


def test_attachments_and_subtitles_of_matroska_stay_and_mp4_says_what_it_does_not_hold(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mkv", subtitles="subrip", sound=1, attachment=b"a letter", time_base=Fraction(1, 1000))
    target, _, notes = made(source, "h264")
    import av

    with av.open(str(target)) as file:
        assert file.streams.attachments[0].data == b"a letter" and not notes
    assert packets_of(target, "subtitles") == packets_of(source, "subtitles")
    _, _, notes = made(source, "h264", container="mp4")
    assert [note.partition(": ")[2] for note in notes] == [
        "stream 2 (subtitles, srt) is left out: mp4 does not hold it; --container mkv holds it",
        "stream 3 (attachment, unknown) is left out: mp4 does not hold it; --container mkv holds it",
    ]


def test_a_part_begins_at_zero_with_its_sound(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", frames=24, sound=1, chapters=True)
    target, frames, _ = made(source, "h264", cut=Cut(0.25, 0.75))
    back, _ = seen(target)
    assert len(frames) == len(back) == 12 and [each.time for each in back] == [
        each.time - Fraction(1, 4) for each in frames
    ]
    sound = [time for _, time in packets_of(target, "audio") if time is not None]
    assert sound and 0 <= sound[0] <= Fraction(1024, 16_000)
    import av

    with av.open(str(target)) as file:
        assert [(each["start"], float(each["end"] * each["time_base"])) for each in file.chapters()] == [(0, 0.25)]


@pytest.mark.parametrize(("codec", "name"), [("h264", "yuv444p"), ("hevc", "yuv444p"), ("av1", "yuv420p")])
def test_odd_sides_are_kept(tmp_path: Path, codec: str, name: str) -> None:
    source = clip(tmp_path / "a.mkv", size=(97, 63), codec="ffv1", pixel_format="yuv420p", frames=3)
    back, video = seen(made(source, codec)[0])
    assert back[0].array.shape == (63, 97, 3) and video.pixel_format == name


def test_ten_bits_in_bt2020_with_pq_stay_what_they_are(tmp_path: Path) -> None:
    def deep(number: int, width: int, height: int) -> np.ndarray:
        return bars(width, height).astype(np.uint16) * 257

    source = clip(
        tmp_path / "a.mp4", codec="libx265", pixel_format="yuv420p10le", tags=(9, 1, 9, 16), picture=deep,
        options={"x265-params": "log-level=none"}, frames=6,
    )  # fmt: skip
    for codec in ("hevc", "av1", "ffv1"):
        back, video = seen(made(source, codec)[0])
        assert video.bits == 10 and video.colours.described() == "BT.2020, PQ, limited"
        assert np.abs(back[3].array[32, 8::16] / 257 - BARS).max() <= 2


def test_transparency_is_kept_by_codecs_that_have_it_and_refused_by_others(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mkv", codec="ffv1", pixel_format="bgra", alpha=True, tags=None, frames=3)
    for codec in ("ffv1", "prores"):
        back, video = seen(made(source, codec, container="mov" if codec == "prores" else None)[0])
        assert video.alpha and back[0].array.shape == (64, 96, 4)
        scale = 257 if back[0].array.dtype == np.uint16 else 1
        assert np.abs(back[1].array[..., 3] / scale - seen(source)[0][1].array[..., 3]).mean() < 1.5
    with pytest.raises(UserError, match="h264 holds no transparency; choose --codec ffv1 or prores, or --alpha drop"):
        made(source, "h264")


def test_the_codec_is_the_films_own_or_one_that_keeps_its_bits() -> None:
    def chosen(source: str, bits: int = 8, alpha: bool = False, ending: str = ".mkv") -> str:
        return codec_for(source, bits=bits, alpha=alpha, ending=ending).name

    assert [chosen(name) for name in ("h264", "hevc", "libdav1d", "ffv1", "prores", "mpeg2video", "rawvideo")] == [
        "h264", "hevc", "av1", "ffv1", "prores", "h264", "ffv1",
    ]  # fmt: skip
    assert chosen("vp9", bits=10) == "hevc" and chosen("vp9", ending=".webm") == "av1"
    assert chosen("h264", alpha=True) == "ffv1" and chosen("prores", alpha=True) == "prores"
    assert ending_for(CODECS["ffv1"], Path("a.mp4"), None) == ".mkv"
    assert ending_for(CODECS["prores"], Path("a.mp4"), None) == ".mov"
    assert ending_for(CODECS["h264"], Path("a.avi"), None) == ".mp4"
    with pytest.raises(UserError, match="--container webm: does not hold h264, which goes into mp4, mov, mkv, ts"):
        ending_for(CODECS["h264"], Path("a.mp4"), "webm")


def test_pixel_formats_have_the_films_bits_and_chroma() -> None:
    def chosen(codec: str, source: str, alpha: bool = False, size: tuple[int, int] = (64, 64)) -> str:
        return pixel_format_for(CODECS[codec], source, alpha=alpha, size=size)

    assert chosen("h264", "yuv422p") == "yuv422p" and chosen("h264", "yuv420p10le") == "yuv420p10le"
    assert chosen("hevc", "yuv444p12le") == "yuv444p12le" and chosen("av1", "yuv444p10le") == "yuv420p10le"
    assert chosen("ffv1", "rgba64le", alpha=True).startswith(("yuva444p16", "gbrap16"))
    assert chosen("ffv1", "yuv420p", alpha=True) == "yuva420p"  # VP9's transparency lies beside it; ya8 has no colour
    assert chosen("ffv1", "gray") == "yuv420p" and chosen("prores", "yuv420p") == "yuv422p10le"
    for codec in ("h264", "hevc", "av1"):  # libx265 names such formats among its own, and takes none
        with pytest.raises(UserError, match=f"{codec} holds no transparency; choose --codec ffv1 or prores"):
            chosen(codec, "yuva420p", alpha=True)
    for codec, least in (("hevc", 16), ("av1", 4)):
        assert chosen(codec, "yuv420p", size=(least, least))
        with pytest.raises(UserError, match=f"no side of less than {least} pixels, and the result has 64x2; choose"):
            chosen(codec, "yuv420p", size=(64, 2))
    with pytest.raises(UserError, match="holds no side of 20,000 pixels"):
        chosen("h264", "yuv420p", size=(20_000, 64))


@pytest.mark.parametrize(
    ("codec", "crf", "preset", "said"),
    [("ffv1", 3, None, "is without loss"), ("h264", 60, None, "must be from 0 to 51"), ("h264", None, "fats", "'fast'"),
     ("prores", 3, None, "--encoder-preset chooses")],
)  # fmt: skip
def test_a_quality_or_speed_that_a_codec_has_not_is_refused(
    codec: str, crf: float | None, preset: str | None, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        check_choice(CODECS[codec], crf, preset)


def test_the_delay_of_a_piece_is_how_far_packets_come_before_their_turn() -> None:
    assert Index((0, 1, 2), (1, 1, 1), (True,) * 3, (1, 1, 1)).delay == 0
    assert Index((0, 4, 2, 1, 3), (1,) * 5, (True,) * 5, (1,) * 5).delay == 2


def test_a_damaged_piece_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.piece"
    with whole(path, durable=False) as file:
        PacketWriter(file).end()
    assert read_index(path).pts == () and list(read_packets(path)) == []
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError, match="is damaged"):
        read_index(path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone tells threads apart")
def test_a_film_in_av1_makes_no_thread_real_time(tmp_path: Path) -> None:
    made(clip(tmp_path / "a.mp4", frames=3), "av1")
    assert {os.sched_getscheduler(int(each)) for each in os.listdir("/proc/self/task")} == {os.SCHED_OTHER}

"""What a container takes beside the pictures: covers of every part, nothing that nobody could read, chapters told."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from toolbox.video.codecs import CODECS, ending_for
from toolbox.video.copying import Cut, add_streams, copied_packets, copy_tags
from toolbox.video.holding import loses, problem_of
from toolbox.video.opening import opened, pictures_of
from video_clips import clip

av = pytest.importorskip("av")
COVER = 1024
"""FFmpeg's mark of a still picture that is shown for the file."""


def jpeg() -> bytes:
    held = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(held, "JPEG")
    return held.getvalue()


def with_cover(source: Path, path: Path) -> Path:
    """A clip's streams, and a cover behind them."""
    with av.open(str(source)) as given, av.open(str(path), "w") as out, av.open(io.BytesIO(jpeg())) as picture:
        kept = [each for each in given.streams if each.type != "data"]  # MP4's titles of chapters
        streams = {each.index: out.add_stream_from_template(each) for each in kept}
        out.set_chapters(given.chapters())
        cover: Any = None
        if path.suffix == ".mkv":
            out.add_attachment("front.jpg", "image/jpeg", jpeg())
        else:
            cover = out.add_stream_from_template(picture.streams.video[0])
            cover.disposition = av.stream.Disposition.attached_pic
        for packet in given.demux(kept):
            if packet.size:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
        if cover:
            packet = av.Packet(jpeg())
            packet.pts = packet.dts = 0
            packet.stream = cover
            out.mux(packet)
    return path


def carried(source: Path, target: Path, cut: Cut) -> tuple[list[bytes], list[str]]:
    """The covers of a copy without its pictures' packets, and the notes."""
    with av.open(str(target), "w") as out, opened(source) as given:
        pictures = pictures_of(given, source)
        stream = out.add_stream_from_template(pictures)
        copies = add_streams(out, given, source, target.suffix)
        copy_tags(given, out, pictures, stream, cut)
        out.start_encoding()
        for _, packet in copied_packets(given, copies, cut):
            out.mux_one(packet)
    with av.open(str(target)) as made:
        covers = [each for each in made.streams.video if int(each.disposition) & COVER]
        return [bytes(packet) for packet in made.demux(covers) if packet.size] if covers else [], copies.notes


@pytest.mark.parametrize("source", [".mp4", ".mkv"])
@pytest.mark.parametrize("target", [".mp4", ".mkv"])
@pytest.mark.parametrize("cut", [Cut(), Cut(first=0.25, last=0.4)], ids=["whole", "part"])
def test_a_cover_is_carried_into_every_container_that_has_covers(
    tmp_path: Path, source: str, target: str, cut: Cut
) -> None:
    film = with_cover(clip(tmp_path / f"a{source}", sound=1), tmp_path / f"b{source}")
    covers, notes = carried(film, tmp_path / f"c{target}", cut)
    assert covers == [jpeg()] and not notes


def test_a_cover_that_a_container_would_drop_is_told(tmp_path: Path) -> None:
    film = with_cover(clip(tmp_path / "a.mp4"), tmp_path / "b.mp4")
    for ending in (".mov", ".webm"):
        with av.open(str(tmp_path / f"c{ending}"), "w") as out, opened(film) as given:
            notes = add_streams(out, given, film, ending).notes
        held = f"{ending[1:]} does not hold it; --container mkv holds it"
        assert notes == [f"{film}: stream 1 (pictures, mjpeg) is left out: {held}"]


def test_a_transport_stream_is_given_nothing_that_nobody_could_read(tmp_path: Path) -> None:
    film = clip(tmp_path / "a.mp4", sound=1, subtitles="mov_text", chapters=True)
    _, notes = carried(with_cover(film, tmp_path / "b.mp4"), tmp_path / "c.ts", Cut())
    assert [note.partition("b.mp4: ")[2] for note in notes] == [
        "stream 2 (subtitles, mov_text) is left out: ts does not hold it",
        "stream 4 (pictures, mjpeg) is left out: ts does not hold it; --container mkv holds it",
        "2 chapters are left out: ts does not hold them; --container mkv does",
    ]
    with av.open(str(tmp_path / "c.ts")) as made:
        assert sorted(each.type for each in made.streams) == ["audio", "video"]


def test_a_container_that_nobody_chose_is_the_one_that_loses_least(tmp_path: Path) -> None:
    film = clip(tmp_path / "a.mkv", subtitles="subrip")
    with opened(film) as given:
        assert loses(given, film, "mp4") == 1 and loses(given, film, "matroska") == 0
        assert problem_of(given.streams[1], given, "matroska") is None

        def ending(name: str, asked: str | None = None) -> str:
            return ending_for(CODECS["h264"], Path(name), asked, lambda container: loses(given, film, container))

        assert (ending("a.nut"), ending("a.mp4"), ending("a.nut", "mp4")) == (".mkv", ".mp4", ".mp4")


def test_the_pictures_stay_the_default_track_and_no_transparency_is_promised(tmp_path: Path) -> None:
    made: Any = {}

    class Tagged:
        metadata = made
        disposition = 0

    film = clip(tmp_path / "a.mp4", frames=2)
    with opened(film) as given, av.open(io.BytesIO(), "w", format="matroska") as out:
        pictures = pictures_of(given, film)
        pictures.metadata["alpha_mode"] = "1"
        copy_tags(given, out, pictures, Tagged, Cut())
        assert Tagged.disposition == pictures.disposition and "alpha_mode" not in made

"""Films are read as they are shown: times, colours, turns, depth, damage, and nothing but the one file."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from toolbox.io.errors import UserError
from toolbox.video.colours import Colours
from toolbox.video.reading import open_video
from toolbox.video.turning import turn_of
from video_clips import BARS, bars, clip, moving

pytest.importorskip("av")
VARIABLE = [0, 25, 50, 100, 110, 120, 300, 301, 302, 600]


def still(number: int, width: int, height: int) -> np.ndarray:
    return bars(width, height)


def test_frames_come_with_the_time_stamps_of_a_variable_rate(tmp_path: Path) -> None:
    with open_video(clip(tmp_path / "a.mkv", times=VARIABLE, time_base=Fraction(1, 1000))) as video:
        frames = list(video)
    assert [frame.pts for frame in frames] == VARIABLE and video.time_base == Fraction(1, 1000)
    assert [frame.number for frame in frames] == list(range(10)) and frames[3].time == Fraction(1, 10)
    assert frames[0].array.shape == (64, 96, 3) and frames[0].array.dtype == np.uint8


@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (6, 1, 6, 6), (5, 2, 5, 6), (9, 1, 9, 14)])
def test_colours_are_those_that_were_written_under_every_matrix_and_range(
    tmp_path: Path, tags: tuple[int, int, int, int]
) -> None:
    with open_video(clip(tmp_path / "a.mkv", frames=2, tags=tags, picture=still)) as video:
        frame = next(iter(video))
    assert (video.colours.matrix, video.colours.range) == tags[:2] and not video.colours.guessed
    middles = frame.array[32, 8::16].astype(int)
    assert np.abs(middles - BARS).max() <= 3  # an encode in 8 bits lies between


@pytest.mark.parametrize(("size", "matrix"), [((96, 64), 6), ((96, 720), 1)])
def test_a_film_that_says_nothing_is_of_the_matrix_of_its_height(
    tmp_path: Path, size: tuple[int, int], matrix: int
) -> None:
    with open_video(clip(tmp_path / "a.mkv", frames=1, size=size, tags=None, picture=still)) as video:
        assert video.colours == Colours(matrix, 1, matrix, matrix, guessed=True)
        assert [frame.array.shape for frame in video] == [(size[1], size[0], 3)]


def test_ten_bits_come_as_sixteen(tmp_path: Path) -> None:
    def deep(number: int, width: int, height: int) -> np.ndarray:
        return bars(width, height).astype(np.uint16) * 257

    path = clip(
        tmp_path / "a.mkv", frames=2, codec="ffv1", pixel_format="yuv444p10le", tags=(9, 1, 9, 16), picture=deep
    )
    with open_video(path) as video:
        frame = next(iter(video))
    assert video.depth == 16 and video.bits == 10 and video.colours.described() == "BT.2020, PQ, limited"
    assert np.abs(frame.array[32, 8::16] / 257 - BARS).max() <= 0.7


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_turned_film_is_given_upright(tmp_path: Path, degrees: int) -> None:
    path = clip(tmp_path / "a.mp4", frames=1, rotation=degrees, aspect=Fraction(4, 3))
    with open_video(path) as video:
        frame = next(iter(video))
        assert video.aspect == (Fraction(3, 4) if degrees in (90, -90) else Fraction(4, 3))
    upright = np.rot90(moving(0), degrees // 90)  # rotation counts against the clock, as rot90 does
    assert frame.array.shape == upright.shape == (video.height, video.width, 3)
    assert np.abs(frame.array.astype(int) - upright).mean() < 6


def test_a_mirrored_film_is_given_as_it_is_shown() -> None:
    class Frame:
        def __init__(self, *matrix: int) -> None:
            self.side_data = {"DISPLAYMATRIX": np.array(matrix, np.int32).tobytes()}

    one, array = 65_536, np.arange(6).reshape(2, 3, 1)
    mirrored = turn_of(Frame(-one, 0, 0, 0, one, 0, 0, 0, 1 << 30))
    assert np.array_equal(mirrored(array), array[:, ::-1])
    flipped = turn_of(Frame(one, 0, 0, 0, -one, 0, 0, 0, 1 << 30))
    assert np.array_equal(flipped(array), array[::-1])
    transposed = turn_of(Frame(0, one, 0, one, 0, 0, 0, 0, 1 << 30))
    assert np.array_equal(transposed(array), array.transpose(1, 0, 2))
    assert not turn_of(Frame(46_341, 46_341, 0, -46_341, 46_341, 0, 0, 0, 1 << 30)).known


def test_a_part_holds_the_frames_between_its_seconds(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", frames=120)  # 24 a second
    with open_video(path, first=3.0, last=3.5) as video:
        frames = list(video)
        assert video.frame_count_estimate == 12
    assert [frame.time for frame in frames] == [Fraction(number, 24) for number in range(72, 84)]
    with pytest.raises(UserError, match="ends before second 9"), open_video(path, first=9):
        pass


def test_frames_from_a_number_on_are_those_of_a_whole_reading(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", frames=20)
    with open_video(path) as video:
        whole = list(video)
    with open_video(path) as video:
        rest = list(video.frames(13))
    assert [frame.number for frame in rest] == list(range(13, 20))
    assert all(np.array_equal(one.array, other.array) for one, other in zip(whole[13:], rest, strict=True))


@pytest.mark.parametrize("codec", ["ffv1", "libx264", "mpeg4"])
def test_a_damaged_frame_is_named_and_its_neighbour_stands_for_it(tmp_path: Path, codec: str) -> None:
    import av

    options = {"bf": "0"} if codec == "libx264" else {}
    base = Fraction(1, 24 if codec == "mpeg4" else 600)
    times = [*range(8)] if codec == "mpeg4" else None
    path = clip(tmp_path / "a.mkv", frames=8, codec=codec, options=options, time_base=base, times=times)
    data = bytearray(path.read_bytes())

    with av.open(str(path)) as file:
        packets = [bytes(packet) for packet in file.demux(video=0) if packet.size]
    place, size = data.find(packets[4]), len(packets[4])
    data[place : place + size] = bytes(size) if codec == "mpeg4" else np.random.default_rng(0).bytes(size)
    path.write_bytes(data)
    with open_video(path) as video:
        frames = list(video)
    assert [frame.number for frame in frames if frame.problem] == [4] and len(frames) == 8
    assert np.array_equal(frames[4].array, frames[3].array)


def test_a_cut_off_film_gives_what_it_holds(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", frames=30, codec="ffv1")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_video(path) as video:
        assert 5 < len(list(video)) < 30


def test_a_film_that_ends_before_its_header_says_is_told(tmp_path: Path) -> None:
    times = [25 * number for number in range(60)]  # two and a half seconds
    made = clip(tmp_path / "a.mkv", times=times, codec="mjpeg", pixel_format="yuvj420p")
    for part, told in ((1.0, False), (0.6, True)):
        path = tmp_path / "b.mkv"
        path.write_bytes(made.read_bytes()[: int(made.stat().st_size * part)])
        with open_video(path) as video:
            count = len(list(video))
            assert (count < 60) == told
            assert bool(video.cut_short) == told, video.cut_short
            if video.cut_short:
                assert video.cut_short.startswith(f"{path}: ends at second 1.") and "says 2.5" in video.cut_short
    with open_video(path, last=0.5) as video:  # a part ends where it was asked to
        assert list(video) and video.cut_short is None


def test_a_film_that_begins_late_is_not_taken_for_one_that_is_cut_short(tmp_path: Path) -> None:
    times = [50_000 + 40 * number for number in range(4)]
    path = clip(tmp_path / "a.mkv", times=times, time_base=Fraction(1, 1000))
    with open_video(path) as video:
        assert len(list(video)) == 4 and video.start == 50 and video.cut_short is None


def test_frames_of_another_size_are_told(tmp_path: Path) -> None:
    parts = [clip(tmp_path / f"{width}.h264", frames=3, size=(width, 64)).read_bytes() for width in (96, 32)]
    (tmp_path / "a.h264").write_bytes(b"".join(parts))
    with open_video(tmp_path / "a.h264") as video:
        assert {frame.array.shape for frame in video} == {(64, 96, 3)}
        assert video.resized and "has frames of 32x64, not of 96x64; they are stretched" in video.resized


def test_a_film_opens_no_other_file(tmp_path: Path) -> None:
    film = clip(tmp_path / "a.mp4", frames=1)
    texts = {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{film}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile {film}\n",
        "list.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{film}\n#EXT-X-ENDLIST\n",
        "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        "a.txt": "text is no film\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(UserError, match="is no film that can be read"), open_video(tmp_path / name):
            pass
    for address in ("http://127.0.0.1:9/a.mp4", f"concat:{film}", f"file:{film}"):
        with pytest.raises(UserError, match="cannot be read"), open_video(address):
            pass


def test_the_transparency_of_webm_is_read(tmp_path: Path) -> None:
    path = clip(
        tmp_path / "a.webm", frames=2, codec="libvpx-vp9", pixel_format="yuva420p", alpha=True,
        time_base=Fraction(1, 1000),
    )  # fmt: skip
    with open_video(path) as video:
        frames = list(video)
    assert video.alpha and frames[1].array.shape == (64, 96, 4)
    assert np.abs(frames[1].array[..., 3].astype(int) - moving(1)[..., 0]).mean() < 2


def test_a_length_that_no_such_file_has_is_no_length(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", frames=2)
    data = bytearray(path.read_bytes())
    place = data.find(b"\x44\x89\x88") + 3  # Matroska's Duration, a float of eight bytes, in milliseconds
    data[place : place + 8] = struct.pack(">d", 1e13)
    path.write_bytes(data)
    with open_video(path) as video:
        assert video.seconds is None and len(list(video)) == 2


def test_reading_that_is_stopped_ends(tmp_path: Path) -> None:
    with open_video(clip(tmp_path / "a.mp4", frames=20)) as video:
        frames = iter(video)
        next(frames)
        video.stop()
        assert len(list(frames)) < 3


def test_sound_alone_a_large_frame_and_a_missing_package_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clip(tmp_path / "a.mp4", frames=1)
    refused = pytest.raises(UserError, match=r"frames of 96x64 pixels are more than 100; --max-pixels")
    with refused, open_video(path, max_pixels=100):
        pass
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(UserError, match=r"pip install 'gan-toolbox\[video\]'"), open_video(path):
        pass

"""Films through networks: what is kept, what a killed run loses (nothing), and networks that look at several frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from small_films import Clip, Middle, Remembers, frames_of, lossless, translated, twice

from toolbox.contracts.clips import window_places
from toolbox.inference.options import Options
from toolbox.inference.picture import Picture, read_picture
from toolbox.inference.picture_write import write_picture
from toolbox.inference.predictor import Predictor
from toolbox.inference.video.job import film_of
from toolbox.inference.video.settings import Settings
from toolbox.inference.video.stepping import stepping_of
from toolbox.io.errors import RunFailed, UserError
from toolbox.video.reading import open_video
from toolbox_plugins.basicvsr.generator import ForwardVSR
from video_clips import bars, clip, moving

pytest.importorskip("av")


def test_every_frame_is_enlarged_and_keeps_its_time(tmp_path: Path) -> None:
    times = [0, 40, 80, 81, 200, 240, 300, 333, 400, 401, 402, 900]
    source = lossless(tmp_path, times=times, time_base=Fraction(1, 1000))
    made = frames_of(translated(source, tmp_path / "out"))
    assert [frame.pts for frame in made] == times
    assert all(np.array_equal(frame.array, twice(moving(number))) for number, frame in enumerate(made))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "out.mkv"]


def test_a_turned_ten_bit_film_keeps_its_look(tmp_path: Path) -> None:
    def deep(number: int, width: int, height: int) -> np.ndarray:
        return bars(width, height).astype(np.uint16) * 257

    source = clip(
        tmp_path / "a.mp4", codec="libx265", pixel_format="yuv420p10le", tags=(9, 1, 9, 16), picture=deep, rotation=90,
        options={"x265-params": "log-level=none"}, frames=4, sound=1,
    )  # fmt: skip
    with open_video(translated(source, tmp_path / "out", crf=8.0)) as video:
        frame = next(iter(video))
    assert (video.bits, video.colours.described(), video.turn.quarters) == (10, "BT.2020, PQ, limited", 0)
    expected = twice(np.rot90(bars()))
    assert np.abs(frame.array[16::32, 64] / 257 - expected[16::32, 64]).max() <= 2


def test_prores_which_says_nothing_of_it_is_of_the_limited_range(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mkv", frames=1, tags=(1, 2, 1, 1), picture=lambda number, *size: bars(*size))
    with open_video(source) as video, open_video(translated(source, tmp_path / "out", codec="prores")) as made:
        assert (video.colours.range, made.colours.range) == (2, 1)
        frames = [next(iter(each)).array for each in (video, made)]
    assert np.abs(frames[1][64, 16::32] / 257 - frames[0][32, 8::16]).max() <= 2


def test_hdr_numbers_reach_the_encoder_or_are_refused_by_name(tmp_path: Path) -> None:
    master = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
    source = clip(
        tmp_path / "a.mp4", codec="libx265", pixel_format="yuv420p10le", tags=(9, 1, 9, 16), frames=3,
        options={"x265-params": f"log-level=none:{master}"},
    )  # fmt: skip
    from toolbox.video.hdr import light_of, mastering_of

    with open_video(source) as video:
        asked = mastering_of(video.first_frame), light_of(video.first_frame)
    assert asked[0] is not None and asked[0][1] == (1000.0, 0.005) and asked[1] == (1000, 400)
    for codec in ("hevc", "av1", "h264"):
        with open_video(translated(source, tmp_path / codec, codec=codec)) as video:
            found = mastering_of(video.first_frame), light_of(video.first_frame)
        assert found[0] is not None and found[1] == asked[1], codec
        assert np.allclose([*found[0][0], *found[0][1]], [*asked[0][0], *asked[0][1]], rtol=0.01)
    with pytest.raises(UserError, match="mastering display, content light level: ffv1 is not given it; --codec hevc"):
        film_of(source, Settings(codec="ffv1"), keeps_alpha=True)
    assert film_of(source, Settings(codec="ffv1", drop_hdr=True), keeps_alpha=True).codec == "ffv1"


def test_numbered_pictures_are_a_film_and_a_film_becomes_numbered_pictures(tmp_path: Path) -> None:
    source = lossless(tmp_path, frames=7)
    folder = translated(source, tmp_path / "out", container="frames")
    assert sorted(path.name for path in folder.iterdir())[::6] == ["frame_00001.png", "frame_00007.png"]
    assert np.array_equal(read_picture(folder / "frame_00003.png").array, twice(moving(2)))
    again = translated(folder / "frame_%05d.png", tmp_path / "again")
    assert np.array_equal(read_picture(again / "frame_00007.png").array, twice(twice(moving(6))))
    (folder / "frame_00004.png").unlink()
    notes: list[str] = []
    film = translated(folder / "frame_%05d.png", tmp_path / "film", container="mkv", codec="ffv1", rate=10, notes=notes)
    back = frames_of(film)
    assert [frame.pts for frame in back] == [100 * number for number in range(7)]
    assert "frame 3, second 0.30: picture 4 is missing; its neighbour stands for it" in notes


def test_sixteen_bit_pictures_stay_sixteen(tmp_path: Path) -> None:
    for number in range(3):
        write_picture(tmp_path / f"p{number}.png", Picture(moving(number).astype(np.uint16) * 200 + 3))
    made = translated(tmp_path / "p%d.png", tmp_path / "out")
    assert np.array_equal(read_picture(made / "p2.png").array, twice(moving(2).astype(np.uint16) * 200 + 3))


def test_a_preview_is_ten_seconds_side_by_side(tmp_path: Path) -> None:
    source = lossless(tmp_path, times=[1000 * number for number in range(14)], time_base=Fraction(1, 1000))
    made = frames_of(translated(source, tmp_path / "out", preview=True, first=2.0))
    assert len(made) == 10 and made[0].array.shape == (128, 384, 3)
    assert np.array_equal(made[0].array[:, 192:], twice(moving(2)))


def test_a_damaged_frame_is_named_or_ends_the_run(tmp_path: Path) -> None:
    import av

    source = lossless(tmp_path, frames=8)
    with av.open(str(source)) as file:
        chosen = [bytes(packet) for packet in file.demux(video=0) if packet.size][4]
    data = source.read_bytes()
    source.write_bytes(data.replace(chosen, np.random.default_rng(0).bytes(len(chosen))))
    notes: list[str] = []
    made = frames_of(translated(source, tmp_path / "out", notes=notes))
    assert len(made) == 8 and notes[0].startswith("frame 4, second 0.17: it cannot be decoded")
    with pytest.raises(RunFailed, match=r"frame 4, second 0\.17: .*--damaged replace"):
        translated(source, tmp_path / "stopped", damaged="stop")
    assert not (tmp_path / "stopped.mkv").exists()


# ---------------------------------------------------------------------- going on


def test_windows_and_clips_slide_over_a_film(tmp_path: Path) -> None:
    source = lossless(tmp_path, frames=13)
    given = [moving(number).astype(np.float64) for number in range(13)]
    made = frames_of(translated(source, tmp_path / "middle", Middle()))
    for number in range(13):
        window = [given[place] for place in window_places(number, 13, 5)]
        assert np.abs(made[number].array - np.mean(window, 0)).max() <= 0.5
    made = frames_of(translated(source, tmp_path / "clip", Clip(), batch=4))
    for number in range(1, 13):
        assert np.abs(made[number].array - (given[number] + given[number - 1]) / 2).max() <= 0.5
    made = frames_of(translated(source, tmp_path / "memory", Remembers()))
    assert np.abs(made[2].array - (given[2] / 2 + given[1] / 4 + given[0] / 4)).max() <= 0.5


def test_networks_with_memory_keep_size_and_transparency_and_refuse_tiles(tmp_path: Path) -> None:
    pixels = np.dstack([moving(0, 24, 16), np.full((16, 24), 128, np.uint8)])
    for number in (1, 2):
        write_picture(tmp_path / f"p{number}.png", Picture(pixels, alpha=True))
    remembers = Predictor(Remembers(), options=Options(backend="torch", outscale=2))
    made = translated(tmp_path / "p%d.png", tmp_path / "out", predictor=remembers)
    result = read_picture(made / "p2.png")
    assert result.array.shape == (32, 48, 4) and (result.array[..., 3] == 128).all()
    with pytest.raises(UserError, match="--tile: is not for networks that remember the frames before"):
        stepping_of(Predictor(Remembers(), options=Options(tile=32)), None, alpha=False)
    with pytest.raises(UserError, match=r"--batch 6: .* must be a multiple of 4"):
        stepping_of(Predictor(Clip()), 6, alpha=False)


def test_the_toolboxs_own_network_with_memory_goes_over_a_film(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ForwardVSR(width=8, scale=2).eval()
    made = frames_of(translated(lossless(tmp_path, frames=3), tmp_path / "out", network))
    clip_of = torch.stack([torch.from_numpy(moving(number)).permute(2, 0, 1) / 255 for number in range(3)])
    with torch.inference_mode():
        wanted = (network(clip_of[None])[0].clamp(0, 1) * 255).round().permute(0, 2, 3, 1)
    assert max(np.abs(each.array - other.numpy()).max() for each, other in zip(made, wanted, strict=True)) <= 1


@pytest.mark.parametrize("asked", ["MP4", "m4v", ".mp4"])
def test_containers_are_known_by_every_name_they_have(asked: str, tmp_path: Path) -> None:
    film = film_of(lossless(tmp_path, frames=2), Settings(container=asked), keeps_alpha=False)
    assert (film.codec, film.ending.lower()) == ("h264", f".{asked.lower().removeprefix('.')}")

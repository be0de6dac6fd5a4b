"""Films through networks: what is kept, what a killed run loses (nothing), and networks that look at several frames."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from small_films import Trails, Twice, translated
from torch import Tensor, nn

from toolbox.inference.picture import Picture, read_picture
from toolbox.inference.picture_write import write_picture
from toolbox.inference.video import pieces, translate
from toolbox.inference.video.job import film_of
from toolbox.inference.video.settings import Settings
from toolbox.inference.video.stepping import loaded, saved
from toolbox.inference.video.threads import Ahead, Behind
from toolbox.inference.video.work import Work
from toolbox.io.errors import RunFailed, UserError
from toolbox.video.reading import VideoFrame, open_video
from video_clips import bars, clip, moving

pytest.importorskip("av")
SCRIPT = Path(__file__).with_name("small_films.py")


def frames_of(path: Path) -> list[VideoFrame]:
    with open_video(path) as video:
        return list(video)


def twice(array: np.ndarray) -> np.ndarray:
    return array.repeat(2, 0).repeat(2, 1)


def lossless(folder: Path, **options: object) -> Path:
    """A clip whose pixels come back as they were written."""
    return clip(folder / "a.mkv", codec="ffv1", pixel_format="bgr0", tags=None, **options)  # pyright: ignore


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


def packets(path: Path) -> list[bytes]:
    import av

    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(video=0) if packet.size]


def test_a_killed_run_goes_on_and_equals_an_undisturbed_one(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", frames=40, sound=1)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    rng = random.Random(0)

    def begun(target: str, codec: str, delay: float = 0.0) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(SCRIPT), str(source), str(tmp_path / target), codec, str(delay)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    whole = {codec: begun(f"whole_{codec}", codec) for codec in ("ffv1", "h264")}
    for run in whole.values():
        assert b"done" in run.communicate()[0]
    for codec, pieces_wanted in (("ffv1", 2), ("h264", 4)):
        run, parts = begun(f"killed_{codec}", codec, 0.03), tmp_path / f".killed_{codec}.mkv.parts"
        until = time.monotonic() + 60
        while len(list(parts.glob("*.piece"))) < pieces_wanted and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.2))
        run.kill()
        run.communicate()
        assert not (tmp_path / f"killed_{codec}.mkv").exists() and parts.exists()
        assert b"done" in begun(f"killed_{codec}", codec).communicate()[0]
        one, other = tmp_path / f"whole_{codec}.mkv", tmp_path / f"killed_{codec}.mkv"
        assert len(packets(one)) == 40 and packets(one) == packets(other)
        assert not parts.exists()


@pytest.fixture
def stops_after(monkeypatch: pytest.MonkeyPatch) -> object:
    """Make a run end after some frames, as if it had been stopped."""

    def set_(count: int) -> None:
        original = pieces.PieceWriter._finished

        def finished(self: pieces.PieceWriter, step: object) -> np.ndarray:
            if self.made >= count:
                raise RunFailed("stopped")
            return original(self, step)  # pyright: ignore[reportArgumentType]

        monkeypatch.setattr(pieces.PieceWriter, "_finished", finished)

    yield set_


class Remembers(nn.Module):
    """Half of the memory shines through: `step`."""

    scale, multiple, keeps_colors = 1, 1, True

    def forward(self, images: Tensor) -> Tensor:
        return images

    def step(self, images: Tensor, memory: dict[str, Tensor] | None) -> tuple[Tensor, dict[str, Tensor]]:
        made = images if memory is None else (images + memory["before"]) / 2
        return made, {"before": made}


class Middle(nn.Module):
    """The mean of five frames."""

    scale, multiple, keeps_colors, frames = 1, 1, True, 5

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(1)


class Clip(nn.Module):
    """Frames (T, C, H, W): each with half of the one before."""

    scale, multiple, keeps_colors, clip = 1, 1, True, True

    def forward(self, frames: Tensor) -> Tensor:
        return torch.cat([frames[:1], (frames[1:] + frames[:-1]) / 2])


@pytest.mark.parametrize(("network", "batch"), [(Twice(), 3), (Remembers(), None), (Middle(), None), (Clip(), 8)])
def test_whatever_a_network_looks_at_a_run_that_goes_on_equals_a_whole_one(
    tmp_path: Path, stops_after: object, monkeypatch: pytest.MonkeyPatch, network: nn.Module, batch: int | None
) -> None:
    monkeypatch.setattr(translate, "filter_of", lambda temporal: Trails())
    source = lossless(tmp_path, frames=22)
    whole = frames_of(translated(source, tmp_path / "whole", network, batch=batch))
    stops_after(13)  # pyright: ignore
    with pytest.raises(RunFailed, match="stopped"):
        translated(source, tmp_path / "stopped", network, batch=batch)
    monkeypatch.undo()
    monkeypatch.setattr(translate, "filter_of", lambda temporal: Trails())
    notes: list[str] = []
    again = frames_of(translated(source, tmp_path / "stopped", network, batch=batch, notes=notes))
    assert any("goes on from frame" in note for note in notes)
    assert len(again) == len(whole) == 22
    assert all(np.array_equal(one.array, other.array) for one, other in zip(whole, again, strict=True))


def test_windows_and_clips_slide_over_a_film(tmp_path: Path) -> None:
    source = lossless(tmp_path, frames=13)
    given = [moving(number).astype(np.float64) for number in range(13)]
    made = frames_of(translated(source, tmp_path / "middle", Middle()))
    for number in range(13):
        window = [given[min(max(number + offset, 0), 12)] for offset in range(-2, 3)]
        assert np.abs(made[number].array - np.mean(window, 0)).max() <= 0.5
    made = frames_of(translated(source, tmp_path / "clip", Clip(), batch=4))
    for number in range(1, 13):
        assert np.abs(made[number].array - (given[number] + given[number - 1]) / 2).max() <= 0.5
    made = frames_of(translated(source, tmp_path / "memory", Remembers()))
    assert np.abs(made[2].array - (given[2] / 2 + given[1] / 4 + given[0] / 4)).max() <= 0.5


def test_other_settings_begin_anew(tmp_path: Path, stops_after: object, monkeypatch: pytest.MonkeyPatch) -> None:
    source = lossless(tmp_path, frames=12)
    stops_after(7)  # pyright: ignore
    with pytest.raises(RunFailed, match="stopped"):
        translated(source, tmp_path / "out")
    monkeypatch.undo()
    notes: list[str] = []
    translated(source, tmp_path / "out", Remembers(), notes=notes)
    assert any("were made otherwise, and are thrown away" in note for note in notes)
    assert frames_of(tmp_path / "out.mkv")[0].array.shape == (64, 96, 3)


def test_a_disk_that_will_be_full_ends_the_run_before_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = lossless(tmp_path, frames=30)
    usage = type("Usage", (), {"free": pieces.RESERVE + 10_000})
    monkeypatch.setattr(pieces.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(RunFailed, match=r"the rest of the film needs .* make room, and the same command goes on"):
        translated(source, tmp_path / "out")
    monkeypatch.undo()
    assert len(frames_of(translated(source, tmp_path / "out"))) == 30


def test_a_memory_is_kept_to_the_bit() -> None:
    memory = (torch.rand(2, 3), [torch.rand(1).bfloat16()], {"n": torch.arange(3)})
    back = loaded(saved(memory), torch.device("cpu"))
    assert torch.equal(back[0], memory[0]) and torch.equal(back[1][0], memory[1][0])
    assert torch.equal(back[2]["n"], memory[2]["n"]) and back[1][0].dtype == torch.bfloat16
    assert loaded(saved(None), torch.device("cpu")) is None


# ---------------------------------------------------------------------- threads


def test_what_a_thread_raises_reaches_the_other_end() -> None:
    def broken() -> object:
        yield 1
        raise UserError("the reader fails")

    with pytest.raises(UserError, match="the reader fails"), Ahead(broken(), 2) as items:  # pyright: ignore
        list(items)

    def consume(items: object) -> None:
        raise UserError("the writer fails")

    with pytest.raises(UserError, match="the writer fails"), Behind(consume, 2) as behind:
        for number in range(100):
            behind.put(number)


def test_leaving_early_ends_the_threads_and_keeps_nothing_half_done() -> None:
    ended: list[bool] = []

    def consume(items: object) -> None:
        for _ in items:  # pyright: ignore
            pass
        ended.append(True)

    with pytest.raises(KeyboardInterrupt), Ahead(iter(range(10**9)), 2) as items, Behind(consume, 2) as behind:
        behind.put(next(iter(items)))
        raise KeyboardInterrupt
    assert not ended


def test_two_runs_of_one_film_do_not_meet(tmp_path: Path) -> None:
    first = Work(tmp_path / "a.mkv", {"of": 1})
    with pytest.raises(UserError, match="another run is at work on it"):
        Work(tmp_path / "a.mkv", {"of": 2})
    first.clear()
    Work(tmp_path / "a.mkv", {"of": 2}).clear()
    assert not list(tmp_path.iterdir())

"""What a stopped, killed or changed run of a film loses: nothing that another run would not make again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from small_films import Clip, Middle, Remembers, Trails, Twice, frames_of, lossless, translated
from torch import nn

from forked import Forked
from toolbox.inference.video import pieces, translate
from toolbox.inference.video.stepping import loaded, saved
from toolbox.inference.video.work import Work
from toolbox.io.errors import RunFailed, UserError
from video_clips import clip

pytest.importorskip("av")
SCRIPT = Path(__file__).with_name("small_films.py")


def packets(path: Path) -> list[bytes]:
    import av

    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(video=0) if packet.size]


def test_a_killed_run_goes_on_and_equals_an_undisturbed_one(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", frames=40, sound=1)
    rng = random.Random(0)

    def begun(target: str, codec: str, delay: float = 0.0) -> Forked:
        command = [sys.executable, SCRIPT, source, tmp_path / target, codec, delay]
        return Forked(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    for codec in ("ffv1", "h264"):
        with begun(f"whole_{codec}", codec) as run:
            assert "done" in run.communicate()[0]
    for codec, pieces_wanted in (("ffv1", 2), ("h264", 4)):
        parts = tmp_path / f".killed_{codec}.mkv.parts"
        with begun(f"killed_{codec}", codec, 0.03) as run:
            while len(list(parts.glob("*.piece"))) < pieces_wanted:
                assert run.poll() is None, run.communicate()
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 0.2))
        assert not (tmp_path / f"killed_{codec}.mkv").exists() and parts.exists()
        with begun(f"killed_{codec}", codec) as run:
            assert "done" in run.communicate()[0]
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


def test_two_runs_of_one_film_do_not_meet(tmp_path: Path) -> None:
    first = Work(tmp_path / "a.mkv", {"of": 1})
    with pytest.raises(UserError, match="another run is at work on it"):
        Work(tmp_path / "a.mkv", {"of": 2})
    first.clear()
    Work(tmp_path / "a.mkv", {"of": 2}).clear()
    assert not list(tmp_path.iterdir())

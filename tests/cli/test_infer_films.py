"""`infer` with films: alone, among pictures, refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runs import command
from toolbox.cli.video_options import _seconds
from toolbox.inference.planning import plan
from toolbox.inference.video.settings import Settings
from toolbox.io.errors import UserError
from toolbox.io.images import write_image
from toolbox.video.reading import open_video
from video_clips import clip, moving

pytest.importorskip("av")


def test_a_folder_of_pictures_and_films_is_done_in_one_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    write_image(folder / "a.png", moving(0, 24, 16))
    clip(folder / "deep" / "b.mp4", frames=3, size=(24, 16), sound=1)
    (folder / "c.mkv").write_bytes(b"no film")
    arguments = [str(folder), "-o", str(tmp_path / "out"), "--weights", "enlarge-x2", "--temporal", "0"]
    assert command("infer", *arguments) == 1
    told = capsys.readouterr()
    assert "2 of 3 images and films written" in told.out
    assert f"error: {folder / 'c.mkv'}: is no film that can be read" in told.err
    with open_video(tmp_path / "out" / "deep" / "b.mp4") as video:
        assert [frame.array.shape for frame in video] == [(32, 48, 3)] * 3
    assert command("infer", *arguments, "--skip-existing") == 2
    assert "2 were there already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--codec", "h265"], "--codec h265: is unknown"),
        (["--codec", "ffv1", "--crf", "3"], "is without loss; leave it out"),
        (["--codec", "h264", "--container", "webm"], "--container webm: does not hold h264"),
        (["--container", "avi"], "--container avi: is not written; known: mp4"),
        (["--to", "1", "--from", "2"], "--to 1: must be after --from 2"),
        (["--from", "90"], "ends before second 90; choose a smaller --from"),
        (["--from", "1:2:3:4"], "1:2:3:4: is no time; write seconds"),
        (["--temporal", "2"], "--temporal 2: must be from 0 to 1"),
        (["--damaged", "skip"], "--damaged skip: is unknown"),
        (["--max-pixels", "9"], "frames of 24x16 pixels are more than 9; --max-pixels N allows more"),
    ],
)
def test_a_wrong_option_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    source = clip(tmp_path / "b.mp4", frames=2, size=(24, 16))
    assert command("infer", str(source), "-o", str(tmp_path / "out"), *options) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert said in told[0] and len(told) == 1


def test_films_and_pictures_of_one_name_keep_apart_and_a_result_replaces_no_input(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv"):
        clip(tmp_path / name, frames=1, size=(24, 16))
    write_image(tmp_path / "a.png", moving(0, 24, 16))
    made = plan([tmp_path], tmp_path / "out", films=Settings())
    assert sorted(job.target.name for job in made.jobs) == ["a.mkv", "a.mp4", "a.png"] and not made.refused
    made = plan([tmp_path], tmp_path / "out", films=Settings(container="mkv"))
    assert sorted(job.target.name for job in made.jobs) == ["a.mkv.mkv", "a.mp4.mkv", "a.png"]
    made = plan([tmp_path / "a.mp4"], tmp_path, films=Settings())
    assert "the result would replace an input" in made.refused[0]
    assert [job.source.name for job in plan([tmp_path], tmp_path / "out").jobs] == ["a.png"]


def test_a_film_of_any_name_is_known_and_a_pattern_stands_for_its_pictures(tmp_path: Path) -> None:
    film = clip(tmp_path / "b.mp4", frames=1, size=(24, 16))
    film.rename(tmp_path / "film.data")
    (job,) = plan([tmp_path / "film.data"], tmp_path / "out", films=Settings()).jobs
    assert job.film and job.target.name == "film.mp4"
    for number in (7, 8):
        write_image(tmp_path / f"shot_{number:04}.png", moving(number, 24, 16))
    (job,) = plan([tmp_path / "shot_%04d.png"], tmp_path / "out", films=Settings()).jobs
    assert job.film and job.film.frames == 2 and job.target == tmp_path / "out" / "shot"
    with pytest.raises(UserError, match=r"holds no picture of such a name|there is no such image"):
        made = plan([tmp_path / "other_%04d.png"], tmp_path / "out", films=Settings())
        raise UserError(made.refused[0])


def test_times_are_seconds_or_hours_minutes_and_seconds() -> None:
    assert np.allclose([_seconds("90"), _seconds("1:30"), _seconds("1:02:03.5")], [90, 90, 3723.5])
    for text in ("", "x", "-3", "nan", "1:2:3:4"):
        with pytest.raises(UserError, match="is no time"):
            _seconds(text)

"""Films in the studio: they go through the same queue as pictures, and their result is what `infer` writes."""

from __future__ import annotations

import asyncio
import io
import json
import shlex
import signal
import zipfile
from pathlib import Path
from typing import Any

import av
import pytest
from served import SOON, Served, wait_for

from toolbox.cli import run
from toolbox.studio.film_work import write_preview
from video_clips import clip


def packets(content: Path | bytes) -> list[bytes]:
    with av.open(io.BytesIO(content) if isinstance(content, bytes) else str(content)) as found:
        return [bytes(each) for each in found.demux(video=0) if each.size]


def test_a_films_result_is_that_of_the_command_that_is_shown(
    studio: Served, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = studio.upload(film)
    assert (found["width"], found["height"], found["frames"], found["showable"]) == (48, 32, 12, True)
    assert studio.ask("GET", f"/api/pictures/{found['id']}/poster")[2][:2] == b"\xff\xd8"
    made = studio.begin(found, "enlarge-x2", temporal=0.5, format="webp")
    assert made["command"] == "gan-toolbox infer drift.mp4 --weights enlarge-x2 --temporal 0.5"
    done = studio.until(made, "done", "failed", seconds=90)
    assert done["state"] == "done", done["problem"]
    assert (done["width"], done["height"], done["film"]["frames"], done["film"]["plays"]) == (96, 64, 12, True)
    assert done["said"].startswith("12 of 12 frames") and done["seconds"] != done["film"]["seconds"]
    (tmp_path / "drift.mp4").write_bytes(film.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert run("infer", shlex.split(made["command"])[2:]) == 0
    status, headers, content = studio.ask("GET", f"/api/tasks/{made['id']}/file")
    assert status == 200 and "drift_enlarge-x2.mp4" in headers["content-disposition"]
    assert packets(content) == packets(tmp_path / "results" / "drift.mp4")
    with av.open(io.BytesIO(content)) as whole:
        assert whole.streams.audio
    assert studio.ask("GET", f"/api/tasks/{made['id']}/poster")[2][:2] == b"\xff\xd8"
    status, headers, part = studio.ask("GET", f"/api/tasks/{made['id']}/shown", headers={"range": "bytes=0-9"})
    assert status == 206 and headers["content-type"] == "video/mp4" and part == content[:10], "browsers seek so"


def test_a_film_that_browsers_do_not_play_is_played_as_one_that_they_do(studio: Served, tmp_path: Path) -> None:
    tab = "previews01"
    odd = clip(tmp_path / "odd.mkv", frames=5, size=(49, 33), codec="ffv1", pixel_format="yuv420p")
    found = studio.upload(odd, tab=tab)
    assert not found["showable"] and studio.ask("GET", f"/api/pictures/{found['id']}/shown", tab=tab)[0] == 404
    made = studio.begin(found, "enlarge-x2", tab=tab)
    done = studio.until(made, "done", "failed", tab=tab, seconds=90)
    assert done["state"] == "done" and done["film"]["plays"], done["problem"]
    for path in (f"/api/pictures/{found['id']}/shown", f"/api/tasks/{made['id']}/shown"):
        with av.open(io.BytesIO(studio.ask("GET", path, tab=tab)[2])) as shown:
            assert shown.streams.video[0].codec_context.pix_fmt == "yuv420p"
            assert shown.streams.video[0].frames == 5
    with av.open(io.BytesIO(studio.ask("GET", f"/api/tasks/{made['id']}/file", tab=tab)[2])) as result:
        assert result.streams.video[0].codec_context.name == "ffv1" and result.streams.video[0].width == 98
    names = zipfile.ZipFile(io.BytesIO(studio.ask("GET", "/api/zip", tab=tab)[2])).namelist()
    assert names == ["odd_enlarge-x2.mkv"]
    studio.json("DELETE", f"/api/pictures/{found['id']}", tab=tab)
    assert not [*studio.folder.glob(f"{found['id']}*")]


def test_what_ends_while_a_preview_is_written_leaves_nothing_of_it(long_film: Path, tmp_path: Path) -> None:
    class Ended(Exception):
        pass

    def end() -> None:
        if (tmp_path / "upload.preview.half.mp4").exists():  # which goes with `upload.*`, too
            raise Ended

    with pytest.raises(Ended):
        write_preview(long_film, tmp_path / "upload.preview.mp4", end)
    assert not [*tmp_path.iterdir()]


def test_no_file_of_the_folder_that_the_studio_runs_in_is_imported(
    studio: Served, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('a file of the folder was imported')")
    monkeypatch.chdir(tmp_path)
    assert studio.upload(film)["frames"] == 12


def test_a_film_that_was_stopped_goes_on_and_equals_one_that_was_not(studio: Served, tmp_path: Path) -> None:
    tab, other = "goeson0001", "wholefilm1"
    source = clip(tmp_path / "some.mp4", frames=320, size=(32, 24))
    found = studio.upload(source, tab=tab)
    made = studio.begin(found, "enlarge-x2", tab=tab)
    wait_for(lambda: studio.task(made, tab)["part"] * 320 >= 100, 120)
    studio.json("POST", "/api/stop", {"tasks": [made["id"]]}, tab=tab)
    stopped = studio.task(made, tab)
    assert stopped["state"] == "stopped" and stopped["kept"] in (96, 192, 288)
    different = studio.begin(found, "enlarge-x2", tab=tab, temporal=0)
    studio.json("POST", "/api/stop", {"tasks": [different["id"]]}, tab=tab)
    assert different["id"] != made["id"], "another setting is another film"
    assert studio.begin(found, "enlarge-x2", tab=tab)["id"] == made["id"], "applied alike, it goes on"
    done = studio.until(made, "done", "failed", tab=tab, seconds=120)
    assert done["state"] == "done" and any(f"goes on from frame {stopped['kept']}" in each for each in done["notes"])
    nothing = f"/api/tasks/{made['id']}/continue"
    assert "nothing of it is kept" in studio.json("POST", nothing, {}, tab=tab, status=400)["problem"]
    whole = studio.begin(studio.upload(source, tab=other), "enlarge-x2", tab=other)
    assert studio.until(whole, "done", "failed", tab=other, seconds=120)["state"] == "done"
    one, two = (
        studio.ask("GET", f"/api/tasks/{each['id']}/file", tab=of)[2] for each, of in ((made, tab), (whole, other))
    )
    assert packets(one) == packets(two)
    studio.json("DELETE", f"/api/pictures/{found['id']}", tab=tab)
    assert not (studio.folder / made["id"]).exists() and not (studio.folder / different["id"]).exists()


def test_a_stop_that_comes_late_does_not_end_the_run_that_goes_on(
    studio: Served, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker looks for an order by its name while it stops one: that of another run is another."""
    done: list[str] = []
    stopped: list[str] = []

    async def do(order: dict[str, Any], *_: object, **__: object) -> dict[str, Any]:
        done.append(order["id"])
        while len(done) == 2 and order["id"] not in stopped:
            await asyncio.sleep(0.01)
        return {"event": "stopped"}

    async def stop(order: str) -> None:
        stopped.append(order)

    monkeypatch.setattr(studio.studio.worker, "do", do)
    monkeypatch.setattr(studio.studio.worker, "stop", stop)
    made = studio.until(studio.begin(studio.upload(film), "enlarge-x2"), "stopped")
    studio.studio.tasks.all[made["id"]].kept = 1
    before = studio.task(made)["told"]
    answer = studio.json("POST", f"/api/tasks/{made['id']}/continue", {}, status=201)
    assert answer["id"] == made["id"] and answer["state"] != "stopped"
    assert before < answer["told"] < studio.until(made, "running")["told"] + 1, "a page can tell which is newer"
    studio.json("POST", "/api/stop", {"tasks": [made["id"]]})
    studio.until(made, "stopped")
    assert done[0] != done[1] == stopped[0]


def test_a_film_that_is_removed_while_it_is_made_leaves_nothing(studio: Served, long_film: Path) -> None:
    found = studio.upload(long_film)
    made = studio.begin(found, "enlarge-x2", temporal=0)
    wait_for(lambda: studio.task(made)["part"] > 0, 60)
    studio.json("DELETE", f"/api/pictures/{found['id']}")
    wait_for(lambda: not (studio.folder / made["id"]).exists(), SOON)
    assert made["id"] not in studio.studio.tasks.all and studio.studio.worker.current is None


def test_stop_ends_a_film_and_leaves_nothing_where_no_piece_is_whole(
    studio: Served, film: Path, long_film: Path
) -> None:
    found = studio.upload(long_film)
    made = studio.begin(found, "enlarge-x2", temporal=0)
    wait_for(lambda: studio.task(made)["part"] > 0, 60)
    assert "of 2,000 frames" in studio.task(made)["said"] and "a second" in studio.task(made)["said"]
    task = studio.studio.tasks.all[made["id"]]
    assert studio.studio.tasks._plain(task, f"{task.target}.mp4: no film") == "long.mp4.mp4: no film"
    studio.json("POST", "/api/stop", {"tasks": [made["id"]]})
    assert studio.task(made)["state"] == "stopped" and studio.studio.worker.current is None
    assert not (studio.folder / made["id"]).exists()
    assert studio.until(studio.begin(studio.upload(film), "enlarge-x2"), "done", seconds=90)["state"] == "done"


def test_a_worker_that_dies_at_a_film_is_told(studio: Served, long_film: Path) -> None:
    made = studio.begin(studio.upload(long_film), "enlarge-x2", temporal=0)
    wait_for(lambda: studio.task(made)["part"] > 0, 60)
    assert studio.studio.worker.process is not None
    studio.studio.worker.process.send_signal(signal.SIGKILL)
    assert "it starts anew" in studio.until(made, "failed", seconds=SOON)["problem"]
    assert not (studio.folder / made["id"]).exists()


@pytest.mark.parametrize(
    ("name", "limit", "value", "words"),
    [
        ("long.mp4", "MOST_SECONDS", 60, "takes 1.4 minutes, and 1 are the most"),
        ("long.mp4", "MOST_FRAMES", 100, "has 2,000 frames, and 100 are the most"),
        ("long.mp4", "MOST_BYTES", 1000, "more than 0 MB"),
        ("film.mp4", None, 0, "film.mp4: is no film that can be read"),
        ("list.mkv", None, 0, "list.mkv: is no film that can be read"),
    ],
)
def test_a_film_that_is_too_long_or_none_is_refused_and_nothing_is_left(
    studio: Served,
    long_film: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    limit: str | None,
    value: int,
    words: str,
) -> None:
    if limit:
        monkeypatch.setattr(f"toolbox.studio.films.{limit}", value)
    content = {"film.mp4": b"\0" * 99, "list.mkv": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"}.get(name)
    before = {*studio.folder.rglob("*")}
    content = long_film.read_bytes() if content is None else content
    status, _, body = studio.ask("POST", "/api/pictures", content, headers={"x-name": name})
    said = json.loads(body)["problem"]
    assert status == 400 and words in said and str(studio.folder) not in said
    assert {*studio.folder.rglob("*")} == before


def test_a_part_of_a_film_is_chosen_in_seconds(studio: Served, film: Path) -> None:
    part: dict[str, Any] = {"from": 0.1, "to": 0.3}
    made = studio.begin(studio.upload(film), "enlarge-x2", **part)
    assert made["command"] == "gan-toolbox infer drift.mp4 --weights enlarge-x2 --from 0.1 --to 0.3"
    assert studio.until(made, "done", "failed", seconds=90)["film"]["frames"] in (4, 5), "of 24 a second"


def test_the_settings_of_a_film_are_checked(studio: Served, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolbox.studio.tasks.FRAME_PIXELS", 1_000_000)
    found = studio.upload(film)
    model = studio.model("enlarge-x2")["id"]
    for settings, words in (
        ({"codec": "mpeg"}, "--codec mpeg"),
        ({"temporal": 2}, "--temporal 2"),
        ({"from": 2, "to": 1}, "--to 1: must be after --from 2"),
        ({"from": "x"}, "settings.from: must be a number"),
        ({"outscale": 64}, "million pixels"),
    ):
        asked = {"pictures": [found["id"]], "model": model, "settings": settings}
        assert words in studio.json("POST", "/api/tasks", asked, status=400)["problem"]

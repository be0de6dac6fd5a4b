"""The queue and the process that computes: it does what `infer` does, stops when it shall, and outlives a death."""

from __future__ import annotations

import asyncio
import http.client
import io
import os
import shlex
import signal
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from served import SOON, Served, wait_for

from toolbox.cli import run
from toolbox.io.images import read_image
from toolbox.studio.tasks import WAITING
from toolbox.studio.worker import Worker, WorkerDied


def test_a_result_is_that_of_the_command_that_is_shown(
    studio: Served, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = studio.begin(
        studio.upload(small),
        "painter-x4",
        chosen={"style": "ukiyo-e", "strength": 0.5},
        outscale=3,
        tile=32,
        format="webp",
    )
    assert made["command"] == (
        "gan-toolbox infer small.png --weights painter-x4 --style ukiyo-e --strength 0.5 "
        "--outscale 3 --tile 32 --format webp"
    )
    done = studio.until(made, "done", "failed")
    assert done["state"] == "done" and (done["width"], done["height"]) == (72, 48)
    (tmp_path / "small.png").write_bytes(small.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert run("infer", shlex.split(made["command"])[2:]) == 0
    status, found, content = studio.ask("GET", f"/api/tasks/{made['id']}/file")
    assert status == 200 and "small_painter-x4.webp" in found["content-disposition"]
    assert content == (tmp_path / "results" / "small.webp").read_bytes()


def test_options_pass_with_each_request_and_change_no_other(studio: Served, small: Path) -> None:
    found = studio.upload(small)
    strong, plain = ({"style": "kandinsky", "strength": 1.0}, {"style": "kandinsky", "strength": 0.0})
    made = [studio.begin(found, "painter-x4", chosen=each) for each in (strong, plain, strong, {})]
    assert all(studio.until(each, "done", "failed")["state"] == "done" for each in made)
    first, second, third, usual = (studio.ask("GET", f"/api/tasks/{each['id']}/file")[2] for each in made)
    assert first == third and first != second and usual not in (first, second)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"outscale": 65}, "--outscale 65"),
        ({"outscale": float("inf")}, "number"),
        ({"outscale": 10**400}, "number"),
        ({"tile": 3}, "--tile 3"),
        ({"precision": "fp8"}, "--precision fp8"),
        ({"format": "exe"}, "known: png"),
        ({"quality": 101}, "1 to 100"),
        ({"quality": True}, "1 to 100"),
        ({"chosen": {"strength": 0.5}}, "lets nothing"),
        ({"weights": "/etc/passwd"}, "no such setting"),
        ({"outscale": 60}, "million pixels"),
        ([], "an object"),
        ({"chosen": []}, "an object"),
    ],
)
def test_what_is_out_of_range_is_refused_before_any_work(
    studio: Served, large: Path, settings: object, words: str
) -> None:
    found = studio.upload(large)
    asked = {"pictures": [found["id"]], "model": studio.model("enlarge-x4")["id"], "settings": settings or {}}
    if settings == []:
        asked["settings"] = [1]
    if settings == {"chosen": []}:
        asked["settings"] = {"chosen": [1]}
    assert words in studio.json("POST", "/api/tasks", asked, status=400)["problem"]


def test_a_style_is_one_that_the_model_has_and_never_a_file(studio: Served, small: Path) -> None:
    found = studio.upload(small)
    for style in ("/etc/passwd", str(small), "../x.png", found["id"], "van-gogh:0.5,/etc/hosts"):
        asked = {
            "pictures": [found["id"]],
            "model": studio.model("painter-x4")["id"],
            "settings": {"chosen": {"style": style}},
        }
        assert "the model has van-gogh" in studio.json("POST", "/api/tasks", asked, status=400)["problem"]
    asked = {"pictures": [found["id"]], "model": "/etc/passwd", "settings": {}}
    assert "no such model" in studio.json("POST", "/api/tasks", asked, status=400)["problem"]


def test_a_model_of_an_old_description_is_loaded_to_tell_what_can_be_chosen(studio: Served) -> None:
    old = "palette-x4-cascade"
    assert studio.model(old)["conditions"] is None and studio.model("palette-x4")["conditions"] is not None
    found = studio.json("GET", f"/api/models/{studio.model(old)['id']}")
    assert found["conditions"] == [] and found["scale"] == 4
    assert studio.model(old)["conditions"] == found["conditions"], "it is asked once"


def test_stop_frees_the_worker_at_the_end_of_its_tile(studio: Served, small: Path, large: Path) -> None:
    made = studio.begin(studio.upload(large), tile=32)
    wait_for(lambda: studio.task(made)["part"] > 0)
    process, begun = studio.studio.worker.pid, time.monotonic()
    studio.json("POST", "/api/stop", {"tasks": [made["id"]]})
    assert studio.task(made)["state"] == "stopped" and time.monotonic() - begun < SOON
    assert studio.studio.worker.current is None and studio.studio.worker.pid == process, (
        "at the tile's end, without a death"
    )
    assert studio.until(studio.begin(studio.upload(small)), "done")["state"] == "done"


def test_a_tile_that_takes_too_long_ends_with_its_process(studio: Served, small: Path, large: Path) -> None:
    made = studio.begin(studio.upload(large), "restore-x4", tile=0)
    wait_for(lambda: studio.studio.worker.current == made["id"])
    time.sleep(0.4)
    begun = time.monotonic()
    studio.json("POST", "/api/stop", {})
    assert studio.task(made)["state"] == "stopped" and time.monotonic() - begun < SOON
    assert studio.until(studio.begin(studio.upload(small)), "done")["state"] == "done"


def test_a_killed_worker_is_told_and_the_next_picture_is_made(studio: Served, small: Path, large: Path) -> None:
    made, after = studio.begin(studio.upload(large), tile=32), studio.begin(studio.upload(small))
    wait_for(lambda: studio.task(made)["part"] > 0)
    process = studio.studio.worker.pid
    assert process is not None
    os.kill(process, signal.SIGKILL)
    assert "as when memory runs out; it starts anew" in studio.until(made, "failed", seconds=5)["problem"]
    assert studio.until(after, "done")["state"] == "done" and studio.studio.worker.pid not in (None, process)


def test_what_the_machine_refuses_fails_one_picture_and_not_the_queue(
    studio: Served, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = studio.studio.tasks.worker
    original, calls = worker.do, []

    async def do(*values: object, **named: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(12, "Cannot allocate memory")
        return await original(*values, **named)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(worker, "do", do)
    found = studio.upload(small)
    first, second = (studio.begin(found, "enlarge-x2") for _ in range(2))
    failed = studio.until(first, "done", "failed")
    assert failed["state"] == "failed" and "Cannot allocate memory" in failed["problem"]
    assert studio.until(second, "done", "failed")["state"] == "done"


def listening(studio: Served, tab: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=60)
    connection.request("GET", f"/api/events?tab={tab}", headers={"cookie": studio.cookie})
    assert connection.getresponse().status == 200
    return connection


def test_a_tab_that_closes_frees_the_worker_and_leaves_others_alone(studio: Served, small: Path, large: Path) -> None:
    going, staying = "goingtab01", "stayingtab"
    connection = listening(studio, going)
    made = studio.begin(studio.upload(large, tab=going), tab=going, tile=32)
    waits = studio.begin(studio.upload(small, tab=going), tab=going)
    other = studio.begin(studio.upload(small, tab=staying), tab=staying)
    wait_for(lambda: studio.task(made, going)["part"] > 0)
    begun = time.monotonic()
    assert connection.sock is None or connection.sock.close() is None
    connection.close()
    del connection
    wait_for(lambda: studio.task(made, going)["state"] == "stopped", SOON)
    assert time.monotonic() - begun < SOON and studio.task(waits, going)["state"] == "stopped"
    assert studio.until(other, "done", tab=staying)["state"] == "done"


def test_tabs_take_turns(studio: Served, small: Path, large: Path) -> None:
    many, one = "manytab001", "onetab0001"
    first = studio.begin(studio.upload(large, tab=many), tab=many, tile=32)
    wait_for(lambda: studio.task(first, many)["state"] == "running")
    second = studio.begin(studio.upload(large, tab=many), tab=many, tile=32)
    other = studio.begin(studio.upload(small, tab=one), tab=one)
    studio.json("POST", "/api/stop", {"tasks": [first["id"]]}, tab=many)
    assert studio.until(other, "done", tab=one)["state"] == "done" and studio.task(second, many)["state"] != "done"
    studio.json("POST", "/api/stop", {}, tab=many)


def test_the_queue_has_an_end(studio: Served, small: Path, large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tab = "queuetab01"
    first = studio.begin(studio.upload(large, tab=tab), tab=tab, tile=32)
    wait_for(lambda: studio.task(first, tab)["state"] == "running")
    found, model = studio.upload(small, tab=tab), studio.model("enlarge-x4")["id"]
    asked = {"pictures": [found["id"]] * WAITING, "model": model}
    assert len(studio.json("POST", "/api/tasks", asked, status=201, tab=tab)["tasks"]) == WAITING
    asked["pictures"] = [found["id"]]
    assert f"and {WAITING} are the most" in studio.json("POST", "/api/tasks", asked, status=400, tab=tab)["problem"]
    studio.json("POST", "/api/stop", {}, tab=tab)
    wait_for(lambda: all(each["state"] == "stopped" for each in studio.json("GET", "/api/state", tab=tab)["tasks"]), 60)


def test_a_picture_that_browsers_cannot_show_is_shown_as_one_that_they_can(studio: Served, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    deep = np.random.default_rng(0).integers(0, 65_536, (16, 24), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", deep)
    found = studio.upload(tmp_path / "deep.tif")
    assert not found["showable"] and studio.ask("GET", f"/api/pictures/{found['id']}/shown")[0] == 404
    made = studio.begin(found)
    assert studio.until(made, "done", "failed")["state"] == "done"
    status, kind, content = studio.ask("GET", f"/api/pictures/{found['id']}/shown")
    assert status == 200 and kind["content-type"] == "image/png"
    (tmp_path / "shown.png").write_bytes(content)
    assert np.array_equal(read_image(tmp_path / "shown.png")[..., 0], (deep / 65_535 * 255 + 0.5).astype(np.uint8))
    assert studio.ask("GET", f"/api/tasks/{made['id']}/shown")[1]["content-type"] == "image/png"
    assert studio.ask("GET", f"/api/tasks/{made['id']}/file")[2][:2] == b"II", "the result itself is a TIFF"


def test_a_picture_that_is_removed_takes_its_results_along(studio: Served, small: Path) -> None:
    found = studio.upload(small)
    made = studio.begin(found)
    studio.until(made, "done")
    place = studio.folder / made["id"]
    assert [*place.iterdir()]
    studio.json("DELETE", f"/api/pictures/{found['id']}")
    assert not place.exists() and studio.ask("GET", f"/api/tasks/{made['id']}/file")[0] == 400


def test_a_zip_holds_every_result_under_a_name_of_its_own(studio: Served, small: Path) -> None:
    tab = "ziptab0001"
    made = [studio.begin(studio.upload(small, "same.png", tab=tab), "enlarge-x2", tab=tab) for _ in range(3)]
    for each in made:
        assert studio.until(each, "done", "failed", tab=tab)["state"] == "done"
    _, found, content = studio.ask("GET", "/api/zip", tab=tab)
    assert found["content-type"] == "application/zip" and "attachment" in found["content-disposition"]
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert names == ["same_enlarge-x2.png", "same_enlarge-x2_2.png", "same_enlarge-x2_3.png"]


LEAVES = """
import os, sys, time
if not os.fork():
    time.sleep(600)
sys.stdin.buffer.read(1)
os._exit(9)
"""


def test_what_a_worker_has_forked_ends_with_it_and_does_not_keep_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library's child holds the pipes that it was born with: their end would never come."""
    monkeypatch.setattr("toolbox.studio.worker.apart", lambda *_: [sys.executable, "-c", LEAVES])

    async def asked() -> None:
        worker = Worker("cpu")
        with pytest.raises(WorkerDied, match="with code 9"):
            await asyncio.wait_for(worker.do({"id": "1"}, lambda _: None, seconds=60), 30)
        process = await worker.warm()
        await asyncio.wait_for(worker.kill(), 30)
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)

    asyncio.run(asked())

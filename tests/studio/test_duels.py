"""Blind votes: sides drawn by chance and told to nobody before the end, votes kept, and counted whoever came first."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import av
import pytest
from served import TAB, Served, wait_for

from toolbox.benchmark.statistics import wilson
from toolbox.studio.duels import Votes, counted
from video_clips import clip


def test_the_side_is_not_told_before_the_end_and_the_votes_are_kept(studio: Served, small: Path) -> None:
    pictures = [studio.upload(small, f"{k}.png")["id"] for k in range(6)]
    first, second = studio.model("enlarge-x2")["id"], studio.model("painter-x4")["id"]
    asked = {"pictures": pictures, "first": {"model": first},
             "second": {"model": second, "settings": {"chosen": {"style": "van-gogh", "strength": 1}}}}  # fmt: skip
    duel = studio.json("POST", "/api/duels", asked, status=201)
    place = f"/api/duels/{duel['id']}"
    wait_for(lambda: all(each["state"] == "ready" for each in studio.json("GET", place)["rounds"]), 60)
    assert "enlarge" not in json.dumps(studio.json("GET", place)) and not studio.json("GET", "/api/state")["tasks"]
    kept = studio.studio.tasks.all.values()
    assert all(studio.ask("GET", f"/api/tasks/{each.id}/file")[0] == 400 for each in kept), "no other way leads there"
    sides = []
    for number in range(6):
        left, right = (studio.ask("GET", f"{place}/{number}/{side}")[2] for side in ("left", "right"))
        painted = "left" if len(left) > len(right) else "right"  # four times as large, and of many colours
        sides.append(painted)
        studio.json("POST", f"{place}/{number}", {"choice": painted})
        assert studio.json("POST", f"{place}/{number}", {"choice": painted}, status=400), "once"
    result = studio.json("GET", place)["result"]
    assert (result["wins"], result["losses"], result["neither"]) == (0, 6, 0)
    assert result["second"] == "painter-x4 (style van-gogh, strength 1)" and result["high"] == pytest.approx(
        wilson(0, 6)[1]
    )
    lines = [json.loads(line) for line in (studio.root / "work_dirs/studio/votes.jsonl").read_text().splitlines()]
    assert [line["first_was"] for line in lines] == ["right" if side == "left" else "left" for side in sides]
    (pair,) = studio.json("GET", "/api/votes")["pairs"]
    assert pair == result


def test_a_part_of_a_film_is_compared_as_pictures_are(studio: Served, film: Path) -> None:
    tab, before = "filmduel01", {*studio.folder.rglob("*")}
    found = studio.upload(film, tab=tab)
    sides = {
        "first": {"model": studio.model("enlarge-x2")["id"]},
        "second": {"model": studio.model("enlarge-x4")["id"]},
    }
    asked = {"pictures": [found["id"]], "seconds": 0.25, **sides}
    for more, words in (
        ({"from": 9}, "drift.mp4: ends at second 0.5, before second 9"),
        ({"from": -1}, "from: must be 0"),
        ({"seconds": 61}, "seconds: must be from 0.1 to 60"),
        ({"seconds": "x"}, "seconds: must be a number"),
        ({"seconds": 10**400}, "seconds: must be a number"),
    ):
        assert words in studio.json("POST", "/api/duels", {**asked, **more}, status=400, tab=tab)["problem"]
    place = f"/api/duels/{studio.json('POST', '/api/duels', asked, status=201, tab=tab)['id']}"
    wait_for(lambda: studio.json("GET", place, tab=tab)["rounds"][0]["state"] != "waiting", 120)
    (round_,) = studio.json("GET", place, tab=tab)["rounds"]
    assert round_ == {**round_, "state": "ready", "film": True, "part": 1}
    widths = {}
    for side in ("left", "right"):
        status, headers, content = studio.ask("GET", f"{place}/0/{side}", tab=tab)
        assert status == 200 and headers["content-type"] == "video/mp4" and "content-disposition" not in headers
        with av.open(io.BytesIO(content)) as shown:
            assert shown.streams.video[0].frames in (6, 7), "a quarter of a second, of 24 frames each"
            widths[shown.streams.video[0].width] = side
    assert set(widths) == {96, 192}
    silent = next(each for each in studio.studio.tasks.all.values() if each.tab == tab)
    with pytest.MonkeyPatch.context() as patch:  # of one, no film for browsers could be made
        patch.setitem(silent.result, "plays", False)
        kinds = [studio.ask("GET", f"{place}/0/{side}", tab=tab)[1]["content-type"] for side in ("left", "right")]
        assert kinds == ["image/jpeg"] * 2, "then both show a frame, or it would be told apart"
    result = studio.json("POST", f"{place}/0", {"choice": widths[192]}, tab=tab)["result"]
    assert (result["wins"], result["losses"]) == (0, 1)
    kept = json.loads((studio.root / "work_dirs/studio/votes.jsonl").read_text().splitlines()[-1])
    assert (kept["from"], kept["to"]) == (0.12, 0.37), "around its middle"
    studio.json("DELETE", f"/api/pictures/{found['id']}", tab=tab)
    assert {*studio.folder.rglob("*")} == before


def test_a_comparison_that_is_stopped_keeps_no_pieces_of_films(studio: Served, tmp_path: Path) -> None:
    tab = "stopduel01"
    found = studio.upload(clip(tmp_path / "some.mp4", frames=320, size=(32, 24)), tab=tab)
    models = [{"model": studio.model(name)["id"]} for name in ("enlarge-x2", "enlarge-x4")]
    asked = {"pictures": [found["id"]], "seconds": 60, "first": models[0], "second": models[1]}
    place = f"/api/duels/{studio.json('POST', '/api/duels', asked, status=201, tab=tab)['id']}"
    tasks = [each for each in studio.studio.tasks.all.values() if each.tab == tab]
    wait_for(lambda: tasks[0].part * 320 >= 100, 120)
    assert [*studio.folder.glob(f"{tasks[0].id}/.*.parts/*.piece")]
    studio.json("POST", "/api/stop", {"tasks": [each.id for each in tasks]}, tab=tab)
    assert studio.json("GET", place, tab=tab)["rounds"][0]["state"] == "failed"
    assert not any((studio.folder / each.id).exists() for each in tasks), "nobody can go on with them"


def test_what_is_no_comparison_is_refused(studio: Served, small: Path) -> None:
    found, model = studio.upload(small)["id"], studio.model("enlarge-x2")["id"]
    same = {"pictures": [found], "first": {"model": model}, "second": {"model": model}}
    assert "both are the same" in studio.json("POST", "/api/duels", same, status=400)["problem"]
    for asked in ({}, {"pictures": [found]}, {"pictures": [found], "first": 3, "second": model}, {"pictures": ["x"]}):
        assert studio.json("POST", "/api/duels", asked, status=400)["problem"]
    for path in ("/api/duels/x", "/api/duels/x/0/left", "/api/duels/../0/left"):
        assert studio.ask("GET", path)[0] in (400, 404, 405)


def test_another_tab_sees_nothing_of_it(studio: Served, small: Path) -> None:
    found = studio.upload(small)["id"]
    asked = {"pictures": [found], "first": {"model": studio.model("enlarge-x2")["id"]},
             "second": {"model": studio.model("enlarge-x4")["id"]}}  # fmt: skip
    duel = studio.json("POST", "/api/duels", asked, status=201, tab=TAB)
    assert studio.json("GET", f"/api/duels/{duel['id']}", status=400, tab="othertab01")["problem"]


def test_a_pair_is_one_whichever_came_first_and_damaged_lines_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "votes.jsonl"
    votes = [
        ("a", "b", "first"),
        ("b", "a", "first"),
        ("b", "a", "second"),
        ("a", "b", "neither"),
        ("a", "c", "second"),
    ]
    lines = [
        json.dumps({"first": first, "second": second, "preferred": preferred}) for first, second, preferred in votes
    ]
    file.write_text("\n".join([*lines, "{", "[]", '{"preferred": "x"}']) + "\n")
    assert Votes(file).table() == [
        counted("a", "b", Counter(first=2, second=1, neither=1)), counted("a", "c", Counter(second=1)),
    ]  # fmt: skip
    assert counted("a", "b", Counter(neither=3))["low"] is None


def test_a_report_is_shown_apart_from_the_page(studio: Served) -> None:
    folder = studio.root / "work_dirs" / "benchmark" / "small"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<title>Report</title><script>fetch('/api/state')</script>")
    (folder / "report.json").write_text("{}")
    studio.studio.finder._at = -10
    (grid,) = studio.json("GET", "/api/grids")["grids"]
    assert grid["name"] == "work_dirs/benchmark/small"
    status, found, content = studio.ask("GET", f"/api/grids/{grid['id']}")
    assert status == 200 and b"Report" in content
    policy = found["content-security-policy"]
    assert (
        policy.startswith("sandbox allow-scripts;") and "connect-src" not in policy and "default-src 'none'" in policy
    )

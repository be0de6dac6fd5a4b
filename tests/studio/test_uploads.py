"""Whatever is sent up: it stays in its folder under a name of ours, or nothing is left of it."""

from __future__ import annotations

import json
import socket
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from served import Served, wait_for

from toolbox.studio.pictures import plain_name


@pytest.fixture(autouse=True)
def nothing_computes(studio: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process loads torch while pictures only come."""

    async def warm() -> None:
        """Nothing."""

    monkeypatch.setattr(studio.studio.worker, "warm", warm)


def files(studio: Served) -> set[str]:
    return {each.relative_to(studio.folder).as_posix() for each in studio.folder.rglob("*") if each.is_file()}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/cron.d/x.png", "x.png"),
        ("C:\\Windows\\x.png", "x.png"),
        ("/etc/passwd", "passwd"),
        ("..", "picture"),
        ("a\nb\0c.png", "a_b_c.png"),
        ("", "picture"),
        (".hidden.png", "hidden.png"),
        ("x" * 500 + ".png", "x" * 100 + ".png"),
        ("gpj.\u202eexe.png", "gpj._exe.png"),
        ('"<script>.png', "__script_.png"),
        ("Zoë 写真.png", "Zoë 写真.png"),
        ("lone \udc80.png", "lone ?.png".replace("?", "_")),
    ],
)
def test_a_name_is_shown_without_what_means_something_to_a_system(name: str, shown: str) -> None:
    assert plain_name(name) == shown


def test_names_are_never_paths(studio: Served, small: Path) -> None:
    outside = {each for each in studio.root.parent.rglob("*")}
    for name in ("../../../escaped.png", "/tmp/escaped.png", "..\\..\\escaped.png", "a/b/../../../escaped.png"):
        found = studio.upload(small, quote(name, safe=""))
        assert found["name"] == "escaped.png"
        assert studio.json("DELETE", f"/api/pictures/{found['id']}") == {}
    assert {each for each in studio.root.parent.rglob("*")} == outside
    assert not [name for name in files(studio) if "escaped" in name]


def test_ids_are_no_paths_and_another_tabs_pictures_are_not_there(studio: Served, small: Path) -> None:
    found = studio.upload(small)
    for path in ("/api/pictures/..%2f..%2f{}/shown", "/api/pictures/{}.png/shown", "/api/tasks/{}/file"):
        assert studio.ask("GET", path.format(found["id"]))[0] in (400, 404)
    assert studio.ask("GET", f"/api/pictures/{found['id']}/shown", tab="othertab1")[0] == 400
    assert studio.ask("GET", f"/api/pictures/{found['id']}/shown")[2] == small.read_bytes()
    for tab in ("", "short", "../../../../etc", "x" * 65):
        assert studio.ask("GET", "/api/state", tab=tab)[0] == 400


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that says it has so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("bomb.png", bomb(10_001, 10_001), "pixels"),
        ("deep.png", bomb(1, 1 << 30), "pixels"),
        ("text.png", b"<html>", "text.png"),
        ("empty.png", b"", "empty.png"),
        ("page.html", b"<script>", "no picture"),
        ("drawing.svg", b"<svg onload='x'/>", "rsvg-convert"),
        ("none", b"", "no picture"),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused_and_nothing_is_left(
    studio: Served, name: str, content: bytes, words: str
) -> None:
    before = files(studio)
    status, _, body = studio.ask("POST", "/api/pictures", content, headers={"x-name": name})
    said = json.loads(body)["problem"]
    assert status == 400 and words in said and str(studio.folder) not in said
    assert files(studio) == before


def test_half_an_upload_leaves_nothing(studio: Served, small: Path) -> None:
    before = files(studio)
    head = (
        f"POST /api/pictures HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\nCookie: {studio.cookie}\r\n"
        "X-Tab: tab0000001\r\n"
        "X-Name: half.png\r\nContent-Length: 100000\r\n\r\n"
    )
    begun = [socket.create_connection(("127.0.0.1", studio.port), timeout=60) for _ in range(5)]
    for connection in begun:
        connection.sendall(head.encode() + small.read_bytes())
    wait_for(lambda: len(files(studio)) == len(before) + 5, 60)
    for connection in begun:
        connection.close()
    wait_for(lambda: files(studio) == before, 60)


def test_more_than_may_be_kept_is_refused(studio: Served, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolbox.studio.pictures.MOST_BYTES", 10)
    before = files(studio)
    assert (
        "more than"
        in json.loads(studio.ask("POST", "/api/pictures", small.read_bytes(), headers={"x-name": "a.png"})[2])[
            "problem"
        ]
    )
    monkeypatch.setattr("toolbox.studio.pictures.MOST_BYTES", 1 << 20)
    monkeypatch.setattr("toolbox.studio.pictures.ALL_BYTES", 10)
    assert (
        "together"
        in json.loads(studio.ask("POST", "/api/pictures", small.read_bytes(), headers={"x-name": "a.png"})[2])[
            "problem"
        ]
    )
    assert files(studio) == before


def test_two_hundred_uploads_at_once_all_arrive_and_the_server_answers(studio: Served, small: Path) -> None:
    tab = "manyuploads"
    with ThreadPoolExecutor(200) as pool:
        found = [*pool.map(lambda k: studio.upload(small, f"{k}.png", tab=tab), range(200))]
    assert len({each["id"] for each in found}) == 200
    assert {each["name"] for each in studio.json("GET", "/api/state", tab=tab)["pictures"]} == {
        f"{k}.png" for k in range(200)
    }

"""A server that means harm: every download from it ends soon, in one line, and leaves no file."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from attacks.attack import problem_of_line
from attacks.downloads import ANSWERS, CONTENT, LENGTH, OK, SHA256, Attack, said, serving
from toolbox.io.errors import UserError
from toolbox.weights import connection
from toolbox.weights.download import fetch


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TIMEOUT", 0.5)
    monkeypatch.setattr("attacks.downloads.SOON", 0.5)


@pytest.mark.parametrize("name", ANSWERS)
def test_it_is_refused_in_one_line_soon_and_nothing_is_left(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path / "cache"))
    start = time.monotonic()
    with pytest.raises(UserError) as refused:
        Attack(tmp_path).attempt(2 * list(ANSWERS).index(name), Random(0), tmp_path)
    assert problem_of_line(str(refused.value)) is None
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a body that drips", r"in 0\.5 s the server sent less than 256 bytes a second"),
        ("headers that drip", "the server sent less than"),
        ("to FTP", r"leads to ftp://127\.0\.0\.1:9/net\.pth, which is no http or https URL"),
        ("to a file", "file:///etc/passwd"),
        ("to half an address", "could not be downloaded"),
    ],
)
def test_the_line_says_what_happened(name: str, words: str, tmp_path: Path) -> None:
    with serving(ANSWERS[name]) as server, pytest.raises(UserError, match=words):
        fetch(server.url(), tmp_path / "net.pth", sha256=SHA256, size=len(CONTENT))


def test_an_honest_server_is_served_by_the_same_way(tmp_path: Path) -> None:
    with serving(said(OK, LENGTH, body=CONTENT)) as server:
        assert fetch(server.url(), tmp_path / "net.pth", sha256=SHA256, size=len(CONTENT)).read_bytes() == CONTENT


def test_the_time_that_it_takes_to_connect_is_not_the_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = socket.create_connection

    def slowly(*arguments: Any, **more: Any) -> socket.socket:
        time.sleep(0.7)  # longer than a server may be silent
        return at_once(*arguments, **more)

    monkeypatch.setattr(socket, "create_connection", slowly)
    with serving(said(OK, LENGTH, body=CONTENT)) as server:
        assert fetch(server.url(), tmp_path / "net.pth", sha256=SHA256).read_bytes() == CONTENT
    start = time.monotonic()
    with serving(ANSWERS["a body that drips"]) as server, pytest.raises(UserError, match="sent less than 256 bytes"):
        fetch(server.url(), tmp_path / "other.pth", sha256=SHA256)
    assert time.monotonic() - start < 20


def test_what_is_there_outlasts_a_server_that_leads_astray(tmp_path: Path) -> None:
    (tmp_path / ".net.pth.part").write_bytes(CONTENT[:5])
    with serving(ANSWERS["to FTP"]) as server, pytest.raises(UserError, match="leads to ftp"):
        fetch(server.url(), tmp_path / "net.pth", sha256=SHA256, size=len(CONTENT))
    assert (tmp_path / ".net.pth.part").read_bytes() == CONTENT[:5]

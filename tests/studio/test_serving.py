"""The command: who may come in, what is refused, a page before torch is there, and nothing left when it ends."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest
from served import wait_for

from toolbox.cli import run
from toolbox.studio.folder import LOCK, PREFIX, sweep


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """`gan-toolbox studio` in a process of its own: it, the address that it printed, and where its folder is made."""
    temporary = folder / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "toolbox.cli", "studio", str(folder), *arguments]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        while "the studio is at" not in lines[-1]:
            assert lines[-1], lines
            lines.append(process.stdout.readline())
        try:
            yield process, lines[-1].split()[-1], temporary
        finally:
            process.kill()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def ask(address: str, method: str = "GET", path: str = "", body: str = "", **headers: str) -> Answer:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=60)
    connection.request(method, path or f"{parts.path}?{parts.query}", body, headers)
    found = connection.getresponse()
    answer = Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
    connection.close()
    return answer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_nothing_of_it_is_left(tmp_path: Path, number: int) -> None:
    with started(tmp_path) as (process, address, temporary):
        (folder,) = temporary.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        answer = ask(address)
        assert answer.status == 303
        cookie = answer.headers["set-cookie"].split(";")[0]
        assert b"studio" in ask(address, path="/", cookie=cookie).body
        loaded = Path(f"/proc/{process.pid}/maps")
        assert not loaded.exists() or "libtorch" not in loaded.read_text(), "the page is there before torch"
        process.send_signal(number)
        assert process.wait(60) == (0 if number == signal.SIGINT else 143)
        assert not [*temporary.iterdir()]


def test_a_password_lets_in_whoever_knows_it_and_a_wrong_one_costs_a_second(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse\n")
    file.chmod(0o600)
    with started(tmp_path, "--password-file", str(file)) as (_, address, _):
        assert "token" not in address
        assert ask(address, path="/").headers["location"] == "/enter"
        assert ask(address, path="/enter").status == 200 and ask(address, path="/page/enter.css").status == 200
        assert ask(address, path="/api/state").status == 401
        begun = time.monotonic()
        assert ask(address, "POST", "/enter", urlencode({"password": "wrong"})).status == 401
        assert time.monotonic() - begun >= 1
        answer = ask(address, "POST", "/enter", urlencode({"password": "correct horse"}))
        assert answer.status == 303 and "HttpOnly" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "add --password-file"),
        (["--port", "0"], "from 1 to 65535"),
        (["nowhere"], "nowhere: there is no such folder"),
        (["--password-file", "nowhere"], "--password-file nowhere: cannot be read"),
    ],
)
def test_what_is_refused_is_told_in_one_line(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("studio", arguments) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_without_its_packages_it_says_how_to_get_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run("studio", []) == 2
    assert "pip install 'gan-toolbox[web]'" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from toolbox.studio.serving import HERE, listen

    with listen(HERE, 0) as taken:
        taken.listen()
        assert run("studio", [str(tmp_path), "--port", str(taken.getsockname()[1])]) == 2
        assert "cannot be had" in capsys.readouterr().err


def test_the_folder_of_a_killed_studio_is_swept_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    dead, other = tmp_path / f"{PREFIX}dead", tmp_path / "else"
    for folder in (dead, other):
        folder.mkdir()
        (folder / LOCK).touch()
    (tmp_path / f"{PREFIX}link").symlink_to(other)
    with started(tmp_path) as (process, _, temporary):
        (living,) = temporary.iterdir()
        sweep(temporary)
        sweep(tmp_path)
        assert living.is_dir() and not dead.exists() and (other / LOCK).exists()
        process.kill()
        process.wait()
        wait_for(lambda: sweep(temporary) is None and not living.exists(), 60)

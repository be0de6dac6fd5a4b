"""Nobody but the studio's own page may ask: not other pages, not other names, not without the token."""

from __future__ import annotations

import http.client
import json
import os
from pathlib import Path

import pytest
from served import Served

from toolbox.io.errors import UserError
from toolbox.studio.entry import read_password
from toolbox.studio.guard import Guard, names_of


def guard(**more: object) -> Guard:
    async def nobody(*_: object) -> None:
        """Never asked."""

    return Guard(nobody, "secret", 8420, **more)  # pyright: ignore[reportArgumentType]


def headers(**more: str) -> dict[str, str]:
    return {"host": "127.0.0.1:8420", "cookie": "gan-toolbox-studio-8420=secret", **more}


def test_the_page_itself_may_ask() -> None:
    own = {"origin": "http://127.0.0.1:8420", "sec-fetch-site": "same-origin"}
    assert guard().problem("POST", "/api/tasks", headers(**own)) is None
    assert guard().problem("GET", "/api/state", headers(host="localhost:8420")) is None
    assert guard().problem("GET", "/api/state", headers(host="[::1]:8420")) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example:8420",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:8420.evil.example",
        "127.0.0.1:8420@evil.example",
        "evil.example:8420@127.0.0.1:8420",
        "192.168.1.7:8420",
        "127.0.0.1:x",
        "[::1",
        "127.0.0.1:8420/x",
    ],
)
def test_a_name_that_was_made_to_lead_here_is_refused(host: str) -> None:
    problem = guard().problem("GET", "/api/state", headers(host=host))
    assert problem is not None and problem[0] == 421


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "https://127.0.0.1:8420",
        "http://127.0.0.1:8421",
        "http://127.0.0.1",
        "file://",
        "http://127.0.0.1:8420.evil.example",
    ],
)
def test_another_pages_origin_is_refused_whatever_it_asks(origin: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        problem = guard().problem(method, "/api/state", headers(origin=origin))
        assert problem is not None and problem[0] == 403


def test_a_request_that_another_site_began_is_refused_though_it_has_no_origin() -> None:
    for site in ("cross-site", "same-site"):
        assert guard().problem("GET", "/api/zip", headers(**{"sec-fetch-site": site})) is not None
    assert guard().problem("GET", "/", headers(**{"sec-fetch-site": "cross-site"})) is None, "a link that leads here"


@pytest.mark.parametrize(
    "cookie", ["", "gan-toolbox-studio-8420=", "gan-toolbox-studio-8420=other", "x=secret", "=;=,", "é=1"]
)
def test_without_the_token_nothing_is_told(cookie: str) -> None:
    for path in ("/api/state", "/page/app.js", "/api/zip", "/nothing"):
        problem = guard().problem("GET", path, headers(cookie=cookie))
        assert problem is not None and problem[0] == 401


def test_a_server_on_all_addresses_may_be_called_by_any_of_them_but_by_no_strange_name() -> None:
    everywhere = guard(hosts=names_of("0.0.0.0"), by_address=True)
    assert everywhere.problem("GET", "/api/state", headers(host="192.168.1.7:8420")) is None
    problem = everywhere.problem("GET", "/api/state", headers(host="rebound.example:8420"))
    assert problem is not None and problem[0] == 421


def test_the_printed_address_gives_a_cookie_that_no_script_reads_and_no_other_site_sends(studio: Served) -> None:
    status, found, _ = studio.ask("GET", f"/?token={studio.studio.token}", headers={"cookie": ""})
    assert status == 303 and found["location"] == "/"
    assert "HttpOnly" in found["set-cookie"] and "SameSite=strict" in found["set-cookie"]
    for path in ("/?token=wrong", "/", "/api/state", "/page/app.js"):
        status, found, _ = studio.ask("GET", path, headers={"cookie": ""})
        assert status == 401 and "set-cookie" not in found


def test_every_answer_says_what_the_page_may_do(studio: Served) -> None:
    for path in ("/", "/page/app.js", "/api/models", "/nothing"):
        _, found, _ = studio.ask("GET", path)
        policy = found["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert found["x-content-type-options"] == "nosniff" and found["cache-control"] == "no-store"
    assert studio.ask("GET", "/api/state", headers={"host": "evil.example"})[0] == 421
    assert studio.ask("POST", "/api/stop", {}, headers={"origin": "http://evil.example"})[0] == 403


@pytest.mark.parametrize(
    "name", ["..%2f..%2fentry.py", "%2e%2e/entry.py", "../entry.py", "..\\entry.py", "app.js%00", ""]
)
def test_nothing_but_the_pages_own_files_is_given(studio: Served, name: str) -> None:
    assert studio.ask("GET", f"/page/{name}")[0] in (404, 405)


def test_a_request_that_is_no_json_or_too_long_is_refused_in_one_line(studio: Served) -> None:
    for body in ("", "[", "[]", "[" * 100_000, '{"pictures": 3}', json.dumps({"pictures": ["x" * 300_000]})):
        status, _, content = studio.ask("POST", "/api/tasks", body)
        assert status == 400 and json.loads(content)["problem"].count("\n") == 0


def test_headers_without_end_end_the_connection(studio: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=60)
    connection.putrequest("GET", "/")
    for number in range(20):
        connection.putheader(f"x-{number}", "a" * 8_000)
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.endheaders()
        status = connection.getresponse().status
        raise http.client.HTTPException(status) if status >= 400 else AssertionError(status)
    connection.close()
    assert studio.ask("GET", "/")[0] == 200


def test_a_password_file_is_long_enough_and_nobody_elses_to_read(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse\nnot this\n")
    os.chmod(file, 0o644)
    with pytest.raises(UserError, match="chmod 600"):
        read_password(file)
    os.chmod(file, 0o600)
    assert read_password(file) == "correct horse"
    file.write_text("short\n")
    with pytest.raises(UserError, match="8 characters"):
        read_password(file)
    with pytest.raises(UserError, match="cannot be read"):
        read_password(tmp_path / "none")


def test_a_port_that_browsers_leave_out_is_ours() -> None:
    made = guard()
    assert not made.is_ours("127.0.0.1")
    made.port = 80
    assert made.is_ours("127.0.0.1") and made.is_ours("127.0.0.1:80")

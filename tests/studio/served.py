"""What asks a studio that is served, and waits for what it does."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from toolbox.io.images import write_image
from toolbox.studio.application import Studio
from toolbox.studio.folder import private_folder
from toolbox.studio.serving import HERE, listen
from toolbox.studio.trainings import WAIT

TAB = "tab0000001"
SOON = 30.0
"""Seconds that stopping takes at the most on a machine that does much else; docs/studio.md has what it takes alone."""


LAST = WAIT + 60
"""Seconds that a studio takes at the most to end, with trainings that save."""


class Served:
    """A studio with what asks it."""

    def __init__(self, studio: Studio, root: Path, folder: Path, port: int) -> None:
        self.studio, self.root, self.folder, self.port = studio, root, folder, port
        self.cookie = f"{studio.application.cookie}={studio.token}"
        self.address = f"http://127.0.0.1:{port}/?token={studio.token}"

    def ask(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, tab: str = TAB
    ) -> tuple[int, dict[str, str], bytes]:
        """One request, with the token unless the headers say otherwise: status, headers, body."""
        connection = http.client.HTTPConnection(HERE, self.port, timeout=60)
        sent = json.dumps(body) if isinstance(body, (dict, list)) else body
        connection.request(method, path, sent, {"cookie": self.cookie, "x-tab": tab, **(headers or {})})
        answer = connection.getresponse()
        found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def json(self, method: str, path: str, body: Any = None, *, status: int = 200, tab: str = TAB) -> Any:
        """The JSON of an answer, which must have that status."""
        found, _, content = self.ask(method, path, body, tab=tab)
        assert found == status, content
        return json.loads(content)

    def upload(self, file: Path, name: str | None = None, tab: str = TAB) -> Any:
        """Bring a picture up."""
        status, _, body = self.ask(
            "POST", "/api/pictures", file.read_bytes(), headers={"x-name": name or file.name}, tab=tab
        )
        assert status == 201, body
        return json.loads(body)

    def model(self, name: str) -> Any:
        """A model by its name."""
        return next(each for each in self.json("GET", "/api/models")["models"] if each["name"] == name)

    def begin(self, picture: Any, model: str = "enlarge-x4", tab: str = TAB, **settings: Any) -> Any:
        """Have a picture made."""
        asked = {"pictures": [picture["id"]], "model": self.model(model)["id"], "settings": settings}
        return self.json("POST", "/api/tasks", asked, status=201, tab=tab)["tasks"][0]

    def task(self, made: Any, tab: str = TAB) -> Any:
        """How a task does."""
        return next(each for each in self.json("GET", "/api/state", tab=tab)["tasks"] if each["id"] == made["id"])

    def until(self, made: Any, *states: str, tab: str = TAB, seconds: float = 60) -> Any:
        """Wait for a task to be in a state."""
        wait_for(lambda: self.task(made, tab)["state"] in states, seconds)
        return self.task(made, tab)


@contextmanager
def serving(root: Path, password: str | None = None, plugins: Sequence[str] = ()) -> Iterator[Served]:
    """A studio over a folder, served by a thread; nothing of it is left at the end."""
    listening = listen(HERE, 0)
    port = listening.getsockname()[1]
    with private_folder() as folder:
        made = Studio(root, folder, port=port, device="cpu", password=password, plugins=plugins)
        config = uvicorn.Config(
            made.application, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield Served(made, root, folder, port)
        finally:  # a test that fails leaves no thread behind, for which pytest would wait for ever
            server.should_exit = True
            thread.join(LAST)
            listening.close()
        assert not thread.is_alive()
        assert made.worker.pid is None


def wait_for(told: Callable[[], bool], seconds: float = 60) -> float:
    """Wait until something is so; returns the seconds that took."""
    begun = time.monotonic()
    while not told():
        assert time.monotonic() - begun < seconds
        time.sleep(0.02)
    return time.monotonic() - begun


def picture(file: Path, width: int, height: int) -> Path:
    """A picture of coarse noise."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    write_image(file, coarse.repeat(8, 0).repeat(8, 1))
    return file

"""A studio that is served, asked by plain requests or by a browser without a window."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from served import Served, picture, wait_for

from toolbox.studio.application import Studio
from toolbox.studio.folder import private_folder
from toolbox.studio.serving import HERE, listen

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A studio over an empty folder, for all tests of a file."""
    root = tmp_path_factory.mktemp("root")
    listening = listen(HERE, 0)
    port = listening.getsockname()[1]
    with private_folder() as folder:
        made = Studio(root, folder, port=port, device="cpu")
        config = uvicorn.Config(
            made.application, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        wait_for(lambda: server.started)
        yield Served(made, root, folder, port)
        server.should_exit = True
        thread.join(20)
        listening.close()
        assert not thread.is_alive() and made.worker.pid is None


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture that is made in a moment."""
    return picture(tmp_path_factory.mktemp("small") / "small.png", 24, 16)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture that takes many tiles, of 32 pixels, and a minute."""
    return picture(tmp_path_factory.mktemp("large") / "large.png", 480, 480)


def missing(what: str) -> None:
    """Skip where the page cannot be opened; CI must open it."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window, for all tests of this file."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright")
        raise
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        missing("chromium")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield made
        made.close()

"""A studio that is served, asked by plain requests or by a browser without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import Served, picture, serving

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A studio over an empty folder, for all tests of a file."""
    with serving(tmp_path_factory.mktemp("root")) as served:
        yield served


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

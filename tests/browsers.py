"""A browser without a window, for the tests of every page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


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
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()

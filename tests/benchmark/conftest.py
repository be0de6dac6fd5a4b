"""A browser without a window, and pages of reports in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from toolbox.benchmark.page import write_page

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


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """`opened(report, width=1200)`: the report's page; whatever a test does there, no error and no request comes."""
    said: list[str] = []
    asked: list[str] = []
    pages = []

    def show(report: dict[str, Any], width: int = 1200) -> Any:
        file = tmp_path / "report.html"
        write_page(report, tmp_path, file)
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.set_default_timeout(5000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")  # charts are drawn
        return page

    yield show
    for page in pages:
        page.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [(tmp_path / "report.html").as_uri()]

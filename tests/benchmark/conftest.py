"""A browser without a window, and pages of reports in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from browsers import browser
from toolbox.benchmark.page import write_page

__all__ = ["browser"]


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

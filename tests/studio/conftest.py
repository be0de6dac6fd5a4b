"""A studio that is served, asked by plain requests or by a browser without a window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from served import Served, picture, serving

from browsers import browser
from video_clips import clip

__all__ = ["browser"]


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


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pictures of several kinds, in a folder of their own."""
    folder = tmp_path_factory.mktemp("pictures")
    sizes = {
        "one.png": (32, 24),
        "two.jpg": (24, 32),
        "three.webp": (24, 24),
        "wide.png": (480, 96),
        "large.png": (480, 480),
    }
    return {name: picture(folder / name, *size) for name, size in sizes.items()}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of twelve frames, half a second long, with sound."""
    return clip(tmp_path_factory.mktemp("film") / "drift.mp4", frames=12, size=(48, 32), sound=1)


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film that is not done within a test."""
    return clip(tmp_path_factory.mktemp("long") / "long.mp4", frames=2_000, size=(96, 64))


@pytest.fixture
def opened(browser: Any, studio: Served) -> Iterator[Callable[..., Any]]:
    """`opened(view, width=1280)`: the page in a new tab; no error comes up, and no request leaves the machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, accept_downloads=True)
    said: list[str] = []
    asked: list[str] = []
    context.on("page", lambda page: listen(page))

    def listen(page: Any) -> None:
        page.set_default_timeout(60_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))

    def show(view: str = "use", width: int = 1280) -> Any:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 860})
        page.goto(f"{studio.address}#{view}")
        page.goto(f"http://127.0.0.1:{studio.port}/#{view}")
        page.locator(".models input").first.wait_for(state="attached")
        return page

    yield show
    context.close()
    assert said == []
    strange = [
        url
        for url in asked
        if not url.startswith((f"http://127.0.0.1:{studio.port}/", "blob:http://127.0.0.1", "data:"))
    ]
    assert strange == []

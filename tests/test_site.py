"""The documentation as a site: built without a warning, whole by itself, and its search knows every component."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from browsers import browser  # noqa: F401  (a fixture)
from toolbox.cli import TASKS
from toolbox.config.shipped import shipped_configs
from toolbox.plugins.registry import KINDS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, which is built with `--strict`: a page that is in no navigation, or a dead link or anchor, ends it."""
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr, done.stderr
    return folder


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing of it."""

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


class Links(HTMLParser):
    """What a page refers to: what a browser fetches for it by itself, and where its links lead."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.led_to: list[str] = []
        self.anchors = {""}
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag's references and its anchors."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        for name in ("src", "href", "data", "poster", "srcset"):
            if name in given:
                link = tag == "a" or given.get("rel") in ("canonical", "next", "prev", "edit")
                (self.led_to if link else self.fetched).append(given[name])


def pages(site: Path) -> Iterator[tuple[Path, Links]]:
    """Every page that mkdocs made, with what it refers to."""
    for page in site.rglob("*.html"):
        if "files" not in page.relative_to(site).parts[:1] and page.name != "404.html":  # which stands at any address
            yield page, Links(page)


def test_no_page_fetches_from_elsewhere_and_no_link_of_one_is_dead(site: Path) -> None:
    found = dict(pages(site))
    assert len(found) > 50
    for page, links in found.items():
        for target in [*links.fetched, *links.led_to]:
            parts = urlsplit(target)
            if parts.scheme in ("http", "https", "mailto"):
                assert target in links.led_to and target not in links.fetched, f"{page} fetches {target}"
                continue
            file = (page.parent / unquote(parts.path)).resolve() if parts.path not in ("", ".") else page
            assert parts.path in ("", ".") or file.exists(), f"{page}: {target}"
            if file in found and not parts.query:
                assert unquote(parts.fragment) in found[file].anchors | {"__skip"}, f"{page}: {target}"
        assert "fonts.googleapis" not in page.read_text(encoding="utf-8")


def test_the_styles_fetch_nothing_from_elsewhere(site: Path) -> None:
    styles = list(site.rglob("*.css"))
    assert styles
    for style in styles:
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style


def test_the_search_finds_every_component_command_and_recipe(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))["docs"]
    titles = {entry["location"].split("/")[-1].split("#")[0] + "/" + entry["title"] for entry in index}
    for kind, registry in KINDS.items():
        for name in registry.names():
            owners = [owned.component.__module__.split(".")[0] for owned in registry.owners(name)]
            assert f"{kind}.html/{name}" in titles or not {"toolbox", "toolbox_plugins"} & {*owners}, f"{kind}/{name}"
    for commands in TASKS.values():
        assert {f"commands.html/{command}" for command in commands} <= titles
    assert {f"recipes.html/{name}" for name in shipped_configs()} <= titles


def test_the_pages_of_components_tell_arguments_and_papers(site: Path) -> None:
    text = (site / "reference/generators.html").read_text(encoding="utf-8")
    entry = text[text.index('<h2 id="rrdbnet"') : text.index('<h2 id="realplksr"')]
    assert "<code>blocks</code>" in entry and "<code>23</code>" in entry and "Wang" in entry
    assert '<img alt="Halo" src="degradations/Halo.png"' in (site / "reference/degradations.html").read_text("utf-8")
    assert 'href="reference/mixtures.html#mixup"' in (site / "components.html").read_text("utf-8")
    assert 'id="toolbox.train"' in (site / "reference/python.html").read_text("utf-8")


def test_commands_stand_on_the_generated_pages_as_they_are_typed(site: Path) -> None:
    recipes, commands = ((site / f"reference/{name}.html").read_text("utf-8") for name in ("recipes", "commands"))
    assert "<code>pip install 'gan-toolbox[metrics]'</code>" in recipes
    assert "<code>doctor [CONFIG]</code>" in commands
    for text in re.findall(r"<code>([^<]*)</code>", recipes + commands):
        assert "\\" not in text, text


def test_the_search_answers_in_a_browser_without_asking_elsewhere(site: Path, browser: Any) -> None:  # noqa: F811
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}/"
        page, asked = browser.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{here}index.html")
        page.fill("input[data-md-component=search-query]", "FocalFrequencyLoss")
        first = page.locator("a.md-search-result__link").first
        first.wait_for(state="attached")
        assert "reference/losses.html" in str(first.get_attribute("href"))
        assert asked and all(url.startswith((here, f"blob:{here}")) for url in asked)
        page.close()
        server.shutdown()

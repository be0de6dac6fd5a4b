"""What mkdocs calls: pages from elsewhere in the repository and generated ones join docs/, and links follow them."""

from __future__ import annotations

import logging
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import commands
import components
import links
import pictures
import python
import recipes
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "plugins/README.md": "plugins.md",
    "plugins/template/README.md": "template.md",
}
"""Pages that stand outside docs/, with their place in the site."""
OF_KINDS = "reference/{}.md"


def on_config(config: Any) -> Any:
    """Say which pages are generated: the navigation names them; headings get the anchors that GitHub gives them."""
    from pymdownx.slugs import slugify

    config["mdx_configs"].setdefault("toc", {})["slugify"] = slugify(case="lower")
    (reference,) = (each["Reference"] for each in config["nav"] if "Reference" in each)
    places = [path for each in reference for path in each.values()]
    for title, path, _ in generated():
        if path not in places:
            reference.append({title: path})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand elsewhere, the generated ones, and the pictures that any of them shows."""
    for source, place in ELSEWHERE.items():
        files.append(File.generated(config, place, content=(ROOT / source).read_text(encoding="utf-8")))
    for _, path, text in generated():
        files.append(File.generated(config, path, content=text))
    for path, content in pictures.made().items():
        files.append(File.generated(config, path, content=content))
    there = {file.src_uri for file in files}
    for page in files.documentation_pages():
        for path in links.files_of(page.content_string, source_of(page.src_uri), ROOT):
            place = links.place_of_file(path)
            if place not in there and (ROOT / path).is_file():
                there.add(place)
                files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead a page's links to their places in the site, and the components that the overview names to theirs."""
    known = {path: ELSEWHERE.get(path, path.removeprefix("docs/")) for path in _sources(files)}
    known |= {f"configs/{name}": place for name, place in recipes.places().items()}
    markdown = re.sub(r"(?<=\S) {3,}# ", "  # ", markdown)  # a page is narrower than a file: comments stand nearer
    if page.file.src_uri == "components.md":
        markdown = components.linked(markdown)
    return links.rewritten(markdown, source_of(page.file.src_uri), page.file.src_uri, known, ROOT)


def source_of(place: str) -> str:
    """The file of a page in the repository, which its links start from."""
    return next((source for source, where in ELSEWHERE.items() if where == place), f"docs/{place}")


@cache
def generated() -> list[tuple[str, str, str]]:
    """Title, place and text of every page that is made of the toolbox itself, in the navigation's order."""
    logging.getLogger("toolbox").setLevel(logging.ERROR)
    kinds = [(title, OF_KINDS.format(kind), text) for kind, title, text in components.pages()]
    return [*kinds, *recipes.pages(), *commands.pages(), *python.pages(ROOT / "plugins/README.md")]


def _sources(files: Files) -> list[str]:
    return [source_of(file.src_uri) for file in files if file.is_documentation_page()]


sys.path[:] = [each for each in sys.path if each]  # the checkout is imported as it is installed

"""Links of a page in the repository, made links of the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_LINK = re.compile(r"(?<![`!])\[((?:[^\[\]]|!?\[[^\]]*\](?:\([^)]*\))?)*)\]\(([^)\s]+)\)")
"""`[text](target)`; the text may be a picture."""
_PICTURE = re.compile(r"(!\[[^\]]*\])\(([^)\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_SHOWN = (".png", ".jpg", ".svg", ".mp4", ".html", ".ipynb")


def files_of(markdown: str, source: str, root: Path) -> Iterator[str]:
    """The files that a page shows or hands out: pictures, films, notebooks; paths in the repository."""
    for _, target in [*_LINK.findall(markdown), *_PICTURE.findall(markdown)]:
        path = _resolved(target, source)
        if path and path.endswith(_SHOWN) and (root / path).is_file():
            yield path


def place_of_file(path: str) -> str:
    """Where such a file stands in the site: pictures of docs/ where they are, all others in a folder of their own."""
    beside = path.startswith("docs/") and not path.endswith(
        (".html", ".ipynb")
    )  # not in the way of a page of that name
    return path.removeprefix("docs/") if beside else f"files/{path}"


def rewritten(markdown: str, source: str, place: str, known: Mapping[str, str], root: Path) -> str:
    """The page with links that lead to the site's pages.

    Args:
        source: the page's file in the repository.
        place: its place in the site.
        known: the places of pages, by their files; a place may end in an anchor.
    """

    def target_of(target: str) -> str | None:
        """Its target in the site; None where the site has no such page."""
        path, _, anchor = target.partition("#")
        resolved = _resolved(path, source)
        if resolved is None:
            return target
        if resolved in known:
            where, _, own = known[resolved].partition("#")
            anchor = anchor or own
        elif resolved.endswith(_SHOWN) and (root / resolved).is_file():
            where = place_of_file(resolved)
        else:
            return None
        return posixpath.relpath(where, posixpath.dirname(place) or ".") + (f"#{anchor}" if anchor else "")

    def picture(match: re.Match[str]) -> str:
        return f"{match[1]}({target_of(match[2]) or match[2]})"

    def link(match: re.Match[str]) -> str:
        text, target = _PICTURE.sub(picture, match[1]), target_of(match[2])
        if target is not None:
            return f"[{text}]({target})"
        if re.fullmatch(r"`\w+`", text) and match[2].endswith(".py"):
            return f"[{text}][toolbox.{text[1:-1]}]"
        return text  # a source file or a folder, which the repository has

    def outside(text: str) -> str:
        return _PICTURE.sub(picture, _LINK.sub(link, text)) if "](" in text else text

    return "".join(part if part.startswith("```") else outside(part) for part in _FENCE.split(markdown))


def _resolved(target: str, source: str) -> str | None:
    """The file in the repository that a link means; None for one of the page itself or of the web."""
    path = target.partition("#")[0]
    if not path or re.match(r"[a-z]+:", path):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), path))

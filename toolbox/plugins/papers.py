"""The papers that components name in their docstrings, as BibTeX.

A docstring says "Zhu et al., 2017"; the entry `zhu2017` of a file `references.bib`, in the folder of the component's
package or of one that it lies in, says the rest. Of a paper that no such file knows, names and year stand alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

FILE = "references.bib"
_NAME = r"[A-Z][\w'’]+(?:-[A-Z]\w+)?"
_CITED = re.compile(
    rf"({_NAME})( et al\.|(?:, {_NAME})*,? and {_NAME}|),? \(?(?:[A-Z][A-Za-z]+ ){{0,2}}((?:19|20)\d\d[a-z]?)\b"
)
_ENTRY = re.compile(r"^@\w+\{\s*([^\s,]+)\s*,", re.MULTILINE)


@dataclass
class Paper:
    """A paper: its key, its BibTeX, and the components that name it."""

    key: str
    bibtex: str
    used_by: list[str] = field(default_factory=list)


def papers_of(components: Iterable[tuple[str, type]]) -> list[Paper]:
    """What components, each with the name it goes by, say that they are from; in order of appearance."""
    found: dict[str, Paper] = {}
    for name, component in components:
        known = _known(component)
        for key, authors, year in cited(component):
            bibtex = known.get(key)
            if bibtex is None and "et al." not in authors and " and " not in authors:
                continue  # a word before a year, perhaps
            bibtex = bibtex or _plain(key, authors, year)
            if bibtex not in found:
                found[bibtex] = _apart(Paper(key, bibtex), {each.key for each in found.values()})
            if name not in found[bibtex].used_by:
                found[bibtex].used_by.append(name)
    return list(found.values())


def _apart(paper: Paper, taken: set[str]) -> Paper:
    """A paper under a key of its own, where another's, of a package of its own, is alike."""
    letters = iter("bcdefgh")
    key = paper.key
    while key in taken:
        key = f"{paper.key}{next(letters)}"
    return Paper(key, paper.bibtex.replace(f"{{{paper.key},", f"{{{key},", 1), paper.used_by)


def cited(component: type) -> list[tuple[str, str, str]]:
    """The citations of a component's docstring and its module's: key, authors as written, year."""
    module = sys.modules.get(component.__module__)
    text = " ".join(f"{component.__doc__ or ''}\n\n{(module and module.__doc__) or ''}".split())
    return [(_key(each[1], each[3]), f"{each[1]}{each[2]}", each[3]) for each in _CITED.finditer(text)]


def entries_in(text: str) -> dict[str, str]:
    """The entries of a BibTeX file by their keys, each as it is written."""
    starts = [*_ENTRY.finditer(text)]
    ends = [each.start() for each in starts[1:]] + [len(text)]
    return {each[1]: text[each.start() : end].strip() for each, end in zip(starts, ends, strict=True)}


def _known(component: type) -> dict[str, str]:
    """The entries of the component's package, and of those that it lies in; the nearest wins."""
    names = component.__module__.split(".")
    found: dict[str, str] = {}
    for count in range(1, len(names) + 1):
        module = sys.modules.get(".".join(names[:count]))
        for folder in getattr(module, "__path__", ()):
            file = Path(folder) / FILE
            if file.is_file():
                found |= entries_in(file.read_text(encoding="utf-8"))
    return found


def _key(name: str, year: str) -> str:
    return re.sub(r"\W", "", name.lower()) + year


def _plain(key: str, authors: str, year: str) -> str:
    named = authors.replace(" et al.", " and others").replace(", ", " and ").replace(" and and ", " and ")
    return f"@misc{{{key},\n  author = {{{named}}},\n  year = {{{year}}}\n}}"

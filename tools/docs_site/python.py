"""The interface for Python: every name of `from toolbox import …`, in the order of the plugin guide's table."""

from __future__ import annotations

import re
from pathlib import Path

import toolbox

TITLE, PLACE = "Python", "reference/python.md"
_FIRST = ("train", "Run", "run_in", "load", "evaluate", "load_config", "Config")


def pages(guide: Path) -> list[tuple[str, str, str]]:
    """Title, place and Markdown of the page; mkdocstrings fills it."""
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", guide.read_text(encoding="utf-8"), re.MULTILINE)
    ordered = [*_FIRST, *(name for row in rows for name in re.findall(r"\w+", row))]
    names = [name for name in dict.fromkeys(ordered) if name in toolbox.__all__]
    names += [name for name in toolbox.__all__ if name not in names and name != "__version__"]
    lines = [
        "# Python",
        "",
        "What `from toolbox import …` gives, for scripts, notebooks and plugins. These names stay.",
        "",
    ]
    lines += ["## To use networks", ""]
    for name in names:
        if name == names[len(_FIRST)]:
            lines += ["## To write plugins", ""]
        lines += [f"::: toolbox.{name}", ""]
    return [(TITLE, PLACE, "\n".join(lines))]

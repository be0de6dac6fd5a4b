"""A plugin's error in one line: what it is, where in the plugin, and the way out where an import is the mistake."""

from __future__ import annotations

import ast
import importlib
import traceback
from pathlib import Path

import pluggy

import toolbox
from toolbox.io.errors import did_you_mean
from toolbox.io.installation import PACKAGE


def one_line(error: BaseException, home: Path | None = None) -> str:
    """`ImportError: no module … (network.py:3)`: the error, and the last of the plugin's own lines that it passed.

    `home` is the folder of the plugin's files, by default that of the first file outside this toolbox.
    """
    not_theirs = {PACKAGE, *(Path(str(module.__file__)).parent for module in (importlib, pluggy))}
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    theirs = [(file, line) for file, line in frames if file.is_file() and not_theirs.isdisjoint(file.parents)]
    home = home or (theirs[0][0].parent if theirs else None)
    own = [(file, line) for file, line in theirs if home in file.parents]  # not torch's lines
    place = f" ({own[-1][0].name}:{own[-1][1]})" if own else ""
    hint = _way_out(error, *own[-1]) if own and isinstance(error, ImportError) else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}{hint}"


def _way_out(error: ImportError, file: Path, line: int | None) -> str:
    """How to import what a failed `from toolbox… import …` wanted; empty where another import failed."""
    module = error.name or ""
    if module.partition(".")[0] != "toolbox":
        return ""
    wanted = _imported(file, line)
    public = [name for name in wanted if name in toolbox.__all__]
    unknown = [name for name in wanted if name not in toolbox.__all__]
    if module == "toolbox":  # `from toolbox import Misspelt`
        return "".join(f"; toolbox has no public '{name}'{did_you_mean(name, toolbox.__all__)}" for name in unknown[:1])
    hint = "; plugins import from toolbox alone"
    if public:
        hint += f": from toolbox import {', '.join(public)}"
    if unknown:
        hint += f"; '{unknown[0]}' is not public{did_you_mean(unknown[0], toolbox.__all__)}"
    return hint


def _imported(file: Path, line: int | None) -> list[str]:
    """The names that the `from … import …` at a line of a file asks for."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    at = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.lineno == line]
    return [alias.name for node in at for alias in node.names]

"""Finds a data file inside an installed package, without running that package's code."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def packaged_file(package: str, member: str) -> Path | None:
    """Return the path of `member` in the top-level `package`, or None where either is absent."""
    try:
        spec = find_spec(package)
    except ValueError:  # a module that was put together by hand, without a specification
        return None
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder, member)).is_file():
            return path
    return None

"""Notebooks: whether this process is one's kernel, and a place in a cell that can be shown anew."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def place_in_cell() -> Callable[[str], None] | None:
    """A function that shows HTML below the running cell, in place of what it showed before; None outside notebooks.

    IPython is not imported where nobody has imported it: a kernel has.
    """
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None:  # plain Python, or IPython in a terminal, which shows no pictures
        return None
    showing: Any = sys.modules["IPython.display"]
    handle = showing.display(showing.HTML(""), display_id=True)
    return lambda html: handle.update(showing.HTML(html))

"""Modules of ours that run in processes of their own."""

from __future__ import annotations

import sys


def apart(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours in a process of its own.

    A file `yaml.py` in the folder that it runs in is somebody's file and no module, as for `gan-toolbox` itself; Python
    3.10 does not know that option.
    """
    return [sys.executable, *(["-P"] if sys.version_info >= (3, 11) else []), "-m", module, *arguments]

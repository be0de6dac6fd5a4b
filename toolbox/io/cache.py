"""Where the toolbox keeps what it would otherwise fetch or decode again. Asking for the place makes no folder."""

from __future__ import annotations

import os
from pathlib import Path

from toolbox.io.errors import UserError


def cache_folder() -> Path:
    """TOOLBOX_CACHE, or else `gan-toolbox` in XDG_CACHE_HOME or ~/.cache; never beside the data.

    Raises:
        UserError: nobody names a folder, and this account has no home.
    """
    chosen, xdg = os.environ.get("TOOLBOX_CACHE"), Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        if xdg.is_absolute() or Path.home() != Path(os.devnull):
            return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "gan-toolbox"
    except RuntimeError:
        pass
    raise UserError("there is no home folder for the cache; set TOOLBOX_CACHE to a folder")


def allow_no_home() -> None:
    """Give an account without a home one that holds nothing and in which nothing can be made.

    Libraries ask for it as they are imported (yapf, which mmengine needs), and would end the process.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.devnull

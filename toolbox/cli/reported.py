"""A training whose folder tells its story at the end, on the command line and from Python alike."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toolbox.assembly import run
from toolbox.assembly.runner import work_dir_of
from toolbox.config import Config
from toolbox.io.errors import RunStopped
from toolbox.plugins.error_line import one_line

logger = logging.getLogger("toolbox")


def train(
    config: Config,
    *,
    resume: str | None = None,
    amp: bool = False,
    stop_at: int | None = None,
    show: Callable[[str], None] | None = None,
) -> Path | None:
    """As `toolbox.assembly.run.train`; a run that ended, or was asked to stop, leaves its `report.html` as well.

    Returns that file; None on all ranks but the first, and where it could not be written.
    """
    from toolbox.benchmark.run_page import changes

    changed = changes(config, work_dir_of(config))  # by the files as they are now
    try:
        run.train(config, resume=resume, amp=amp, stop_at=stop_at, show=show)
    except RunStopped:
        _tell(config, changed)
        raise
    return _tell(config, changed)


def _tell(config: Config, changed: dict[str, Any] | None) -> Path | None:
    """Write the page. Whatever is wrong with that, in a plugin's references too, is a warning: the training is done."""
    from toolbox.benchmark.run_page import write_run_page
    from toolbox.engine.distributed import rank_told

    if rank_told(config.data.get("launcher")):
        return None
    folder = work_dir_of(config)
    try:
        return write_run_page(folder, changed)
    except Exception as error:
        logger.warning("%s: its report.html is not written (%s)", folder, one_line(error))
        return None

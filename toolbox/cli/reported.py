"""A training whose folder tells its story at the end, on the command line and from Python alike."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toolbox.assembly import run
from toolbox.assembly.runner import work_dir_of
from toolbox.config import Config
from toolbox.io.errors import RunStopped, UserError

logger = logging.getLogger("toolbox")


def train(
    config: Config,
    *,
    resume: str | None = None,
    amp: bool = False,
    stop_at: int | None = None,
    show: Callable[[str], None] | None = None,
) -> None:
    """As `toolbox.assembly.run.train`; a run that ended, or was asked to stop, leaves its `report.html` as well."""
    from toolbox.benchmark.run_page import changes

    folder = work_dir_of(config)
    changed = changes(config, folder)  # by the files as they are now
    try:
        run.train(config, resume=resume, amp=amp, stop_at=stop_at, show=show)
    except RunStopped:
        _tell(folder, changed)
        raise
    _tell(folder, changed)


def _tell(folder: Path, changed: dict[str, Any] | None) -> None:
    """Write the page. What is wrong with that is a warning: the training has not failed."""
    if int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", 0))):
        return
    from toolbox.benchmark.run_page import write_run_page

    try:
        write_run_page(folder, changed)
    except (OSError, UserError) as error:
        logger.warning("%s: its report.html is not written (%s)", folder, error)

"""A training whose folder tells its story at the end, on the command line and from Python alike."""

from __future__ import annotations

import logging
import os

from toolbox.assembly import run
from toolbox.assembly.runner import work_dir_of
from toolbox.config import Config
from toolbox.io.errors import RunStopped, UserError

logger = logging.getLogger("toolbox")


def train(config: Config, *, resume: str | None = None, amp: bool = False, stop_at: int | None = None) -> None:
    """As `toolbox.assembly.run.train`; a run that ended, or was asked to stop, leaves its `report.html` as well."""
    try:
        run.train(config, resume=resume, amp=amp, stop_at=stop_at)
    except RunStopped:
        _tell(config)
        raise
    _tell(config)


def _tell(config: Config) -> None:
    """Write the page. What is wrong with that is a warning: the training has not failed."""
    if int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", 0))):
        return
    from toolbox.benchmark.run_page import write_run_page

    folder = work_dir_of(config)
    try:
        write_run_page(config, folder)
    except (OSError, UserError) as error:
        logger.warning("%s: its report.html is not written (%s)", folder, error)

"""A run's log where the disk is full: said once, and the run goes on without it."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

from toolbox.io.console import errors
from toolbox.io.files import NotWritten


def tell_once(handler: logging.FileHandler) -> None:
    """Have a log that cannot be written say so in one line; logging's own way is a traceback for every entry."""
    usual = handler.handleError

    def end(record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            usual(record)
            return
        errors.print(f"warning: {NotWritten(handler.baseFilename, error)}; the log ends here", soft_wrap=True)
        with suppress(OSError):  # what it still holds does not fit
            handler.close()
        handler.stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (the handler closes it)

    handler.handleError = end

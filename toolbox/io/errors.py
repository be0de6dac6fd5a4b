"""The one kind of error that is the user's to mend: a line that names the place, the value and the way out."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """The user's input is wrong. The command line prints it as one line and exits with 2, without a traceback."""

    def __str__(self) -> str:
        """The message; a data loader's worker sends it at the end of a traceback."""
        text = super().__str__()
        return text.rstrip().splitlines()[-1].partition(": ")[2] if "\nOriginal Traceback" in text else text


class MissingWeights(UserError):
    """A component works once its published weights are there; whoever can do without it may leave it out."""


class RunFailed(Exception):
    """The run cannot go on, and what was done is kept. The command line prints it as one line and exits with 1."""


class RunStopped(RunFailed):
    """Somebody asked the run to stop, and it has saved itself."""


class Stopped(KeyboardInterrupt):
    """A signal asked to stop at once. The command line says so in one line and exits with 128 + its number."""

    def __init__(self, number: int = signal.SIGINT, more: str = "") -> None:
        self.number, self.more = number, more
        super().__init__(signal.Signals(number).name)


class ConfigError(UserError):
    """A config is wrong: `file: key.path: what is wrong and what to write instead`."""

    def __init__(self, message: str, *, file: str | None = None, key: str | None = None) -> None:
        self.message, self.file, self.key = message, file, key
        super().__init__(": ".join(part for part in (file, key, message) if part))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the closest known name, or else the list of them."""
    known = sorted(known)
    close = get_close_matches(str(name), known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(known)}" if known else ""


class CompatibilityWarning(UserWarning):
    """Two choices of a config that work together, and seldom well."""

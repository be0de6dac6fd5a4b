"""One case of an attack: an input made by a seed, read by the toolbox, and what came of it."""

from __future__ import annotations

import contextlib
import io
import resource
import time
import traceback
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from random import Random

from toolbox.io.errors import RunFailed, UserError

SECONDS = 10.0
"""What computes longer, or waits longer without computing, hangs; a busy machine is nobody's fault."""
MEMORY = 2 << 30
"""Bytes that a case may take beyond what was taken before it."""


class Attack(ABC):
    """A kind of input. Whole files are made once, in `__init__`, which may take its time."""

    cases: int | None = None
    """How many there are, where they are written one by one; None where they are drawn without end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Where whole files may lie."""

    @abstractmethod
    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        """Write the input of one case into the empty `folder`, and have it read.

        Returns:
            True where the result is that of the undamaged input, False where it is another, of a file that keeps no
            checksum by which anybody could tell.

        Raises:
            UserError: it was refused, as it should be.
            AssertionError: the result is another, and the file says how it could have been noticed.
        """


@dataclass(frozen=True)
class Outcome:
    """What came of a case: `right`, `other`, `refused` or `failed`, and the line that was said, or the failure."""

    name: str
    said: str = ""


def tried(attack: Attack, kind: str, seed: int, number: int, folder: Path) -> Outcome:
    """Try one case; whatever it raises is an outcome."""
    before, start = reset_peak(), time.process_time()
    try:
        outcome = Outcome("right" if attack.attempt(number, drawing(kind, seed, number), folder) else "other")
    except (UserError, RunFailed) as error:
        problem = problem_of_line(str(error))
        outcome = Outcome("failed", f"{problem}: {error}") if problem else Outcome("refused", str(error))
    except Exception:
        outcome = Outcome("failed", traceback.format_exc())
    taken, seconds = peak() - before, time.process_time() - start
    if taken > MEMORY:
        return Outcome("failed", f"took {taken >> 20} MiB\n{outcome.said}")
    if seconds > SECONDS:
        return Outcome("failed", f"took {seconds:.1f} s\n{outcome.said}")
    return outcome


def drawing(kind: str, seed: int, number: int) -> Random:
    """The random numbers of one case."""
    return Random(f"{kind} {seed} {number}")


def problem_of_line(text: str) -> str | None:
    """What is wrong with an error's text, which should be one line of a readable length; None where nothing is."""
    if not text.strip():
        return "says nothing"
    if "\n" in text or "\r" in text:
        return "is more than a line"
    return "is longer than 2000 characters" if len(text) >= 2000 else None


def commanded(*arguments: object) -> str:
    """Run a command in this process; returns what it wrote.

    Raises:
        UserError: it was refused, or failed for single files, with what was said of the first.
        AssertionError: it said so in more than one line for each, or in none.
    """
    from toolbox.cli import run

    name, *rest = map(str, arguments)
    said, shown = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(shown):
        code = run(name, rest)
    lines = said.getvalue().splitlines()
    errors = [line for line in lines if line.startswith(("error: ", "failed: "))]
    strange = [line for line in lines if not line.startswith(("error: ", "failed: ", "note: ", "warning: "))]
    assert not strange, f"says besides: {strange}"
    assert bool(errors) == bool(code), f"ends with {code} and says {errors}"
    if code:
        raise UserError(errors[0].partition(": ")[2])
    return shown.getvalue()


def reset_peak() -> int:
    """Forget how much memory this process ever held; returns what it holds now, in bytes."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak() -> int:
    """The most that this process held since, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0

"""What a person sees while a benchmark runs: how many runs are done, failed and left, which run now, and until when."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from toolbox.benchmark.launch import LOG, Outcome
from toolbox.benchmark.plan import Run, progress_of
from toolbox.benchmark.schedule import state_of
from toolbox.io.console import console
from toolbox.io.progress import hours


class Watch:
    """A live table on a terminal; elsewhere one line for each run that ends."""

    def __init__(self, runs: Sequence[Run], slots: int) -> None:
        self.runs, self.slots = runs, slots
        self.start = time.monotonic()
        self.before = sum(state_of(run) != "open" for run in runs)
        self.live = Live(self.table(), console=console, refresh_per_second=2) if console.is_terminal else None

    def __enter__(self) -> Watch:
        """Begin to show."""
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        if self.live:
            self.live.update(self.table())
            self.live.stop()

    def __call__(self, event: str, run: Run, outcome: Outcome | None) -> None:
        """Show what has happened."""
        if self.live:
            self.live.update(self.table())
        elif event == "ended" and outcome is not None:
            done = sum(state_of(each) != "open" for each in self.runs)
            stage = f" while {outcome.stage}: {outcome.reason}" if outcome.reason else ""
            text = f"{done}/{len(self.runs)}  eta {self.left()}  {run.cell}, seed {run.seed}: {outcome.state}{stage}"
            console.print(text, soft_wrap=True)

    def left(self) -> str:
        """Time left, if the rest takes as long as what this part has made."""
        states = [state_of(run) for run in self.runs]
        made = sum(state != "open" for state in states) - self.before
        if not made:
            return "?"
        return hours((time.monotonic() - self.start) / made * states.count("open"))

    def table(self) -> Group:
        """Counts, and what runs."""
        states = {run.key: state_of(run) for run in self.runs}
        counts = {name: list(states.values()).count(name) for name in ("done", "failed", "cut", "open")}
        line = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name in ("done", "failed"))
        begun = [run for run in self.runs if states[run.key] == "open" and (run.place / LOG).is_file()]
        made = Table("running", "seed", "iteration")
        for run in begun:
            made.add_row(run.cell, str(run.seed), f"{progress_of(run):,} of {run.iterations:,}")
        return Group(Text(f"{line}, time left {self.left()}"), *([made] if begun else []))

"""Blind comparisons by a person: which of two pictures, or films, is better, not knowing whose; votes are kept."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from toolbox.benchmark.statistics import wilson
from toolbox.io.errors import UserError
from toolbox.io.files import append_text, open_regular
from toolbox.studio.pictures import Upload
from toolbox.studio.settings import Settings
from toolbox.studio.task import Task

CHOICES = ("left", "right", "neither")
_LONGEST = 16 << 20
"""Bytes of the file of votes that are read."""


SECONDS, MOST_SECONDS = 4.0, 60.0
"""Of each film that is compared: usually, and at the most."""


@dataclass
class Round:
    """One picture, or part of a film, through two models; `swapped` where the second model's is shown on the left."""

    first: Task
    second: Task
    swapped: bool
    choice: str = ""

    @property
    def state(self) -> str:
        """`waiting`, `ready`, `failed`, or `voted`."""
        if self.choice:
            return "voted"
        states = {self.first.state, self.second.state}
        if states & {"failed", "stopped"}:
            return "failed"
        return "ready" if states == {"done"} else "waiting"

    @property
    def part(self) -> float:
        """How much of both is made, in [0, 1]."""
        return (self.first.part + self.second.part) / 2

    @property
    def film(self) -> bool:
        """Whether both are films that browsers play."""
        return all((film := task.film()) is not None and film["plays"] for task in (self.first, self.second))

    def side(self, name: str) -> Task:
        """The task whose result is shown on a side."""
        return self.second if (name == "left") == self.swapped else self.first

    def preferred(self) -> str:
        """`first`, `second` or `neither`."""
        if self.choice == "neither":
            return "neither"
        return "second" if (self.choice == "left") == self.swapped else "first"


@dataclass
class Duel:
    """Two models on some pictures."""

    id: str
    tab: str
    rounds: list[Round] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        """What the page may know; whose picture is whose only when all rounds are over."""
        rounds = []
        for each in self.rounds:
            problem = next((task.problem for task in (each.first, each.second) if task.problem), "")
            upload = each.first.upload
            rounds.append({"state": each.state, "name": upload.name, "problem": problem, "picture": upload.id,
                           "part": round(each.part, 3), "film": each.film})  # fmt: skip
        over = all(each.state in ("voted", "failed") for each in self.rounds)
        result = None
        if over:
            votes = Counter(each.preferred() for each in self.rounds if each.choice)
            result = counted(*self.names(), votes)
        return {"id": self.id, "rounds": rounds, "result": result}

    def names(self) -> tuple[str, str]:
        """The two models, with what was chosen of them."""
        return title(self.rounds[0].first), title(self.rounds[0].second)


def begin(tab: str, first: Sequence[Task], second: Sequence[Task]) -> Duel:
    """A comparison whose sides are drawn, each with equal chance."""
    rounds = [Round(*pair, swapped=bool(secrets.randbelow(2))) for pair in zip(first, second, strict=True)]
    return Duel(secrets.token_hex(8), tab, rounds)


def shortened(settings: Settings, upload: Upload, first: float | None, seconds: float) -> Settings:
    """Settings for a part of a film, from its middle where nobody says; of a picture as they are.

    Raises:
        UserError: the film ends before.
    """
    if upload.film is None:
        return settings
    length = upload.film.seconds
    if first is None:
        first = 0.0 if length is None else max(0.0, round((length - seconds) / 2, 2))
    if length is not None and first >= length:
        raise UserError(f"{upload.name}: ends at second {length:g}, before second {first:g}")
    return replace(settings, films=replace(settings.films, first=first, last=first + seconds))


def title(task: Task) -> str:
    """A model and what was chosen of it: `painter-x4 (style van-gogh, strength 0.5)`."""
    chosen = ", ".join(f"{name} {value}" for name, value in (task.settings.shown or {}).items())
    outscale = task.settings.options.outscale
    more = ", ".join(part for part in (chosen, f"×{outscale:g}" if outscale else "") if part)
    return f"{task.model.name} ({more})" if more else task.model.name


def counted(first: str, second: str, votes: Counter[str]) -> dict[str, Any]:
    """How often the first was preferred among those that were told apart, with its 95 % interval."""
    told = votes["first"] + votes["second"]
    low, high = wilson(votes["first"], told) if told else (None, None)
    counts = {"wins": votes["first"], "losses": votes["second"], "neither": votes["neither"]}
    return {"first": first, "second": second, **counts, "low": low, "high": high}


class Votes:
    """The file of all votes: a line of JSON each."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def add(self, duel: Duel, each: Round) -> None:
        """Keep a vote. Raises NotWritten where the disk refuses."""
        first, second = duel.names()
        self.file.parent.mkdir(parents=True, exist_ok=True)
        entry: dict[str, Any] = {
            "time": datetime.now().astimezone().isoformat(timespec="seconds"), "picture": each.first.upload.name,
            "first": first, "second": second, "first_was": "right" if each.swapped else "left",
            "preferred": each.preferred(),
        }  # fmt: skip
        if each.first.upload.film:
            entry["from"], entry["to"] = each.first.settings.films.part
        append_text(self.file, json.dumps(entry, ensure_ascii=False) + "\n")

    def table(self) -> list[dict[str, Any]]:
        """All pairs that were compared, with their votes, the newest last; a pair is one whichever came first."""
        found: dict[tuple[str, str], Counter[str]] = {}
        for entry in self._entries():
            pair, preferred = (str(entry.get("first")), str(entry.get("second"))), entry.get("preferred")
            if preferred not in ("first", "second", "neither"):
                continue
            if (pair[1], pair[0]) in found and pair[0] != pair[1]:
                pair = pair[1], pair[0]
                preferred = {"first": "second", "second": "first"}.get(preferred, preferred)
            found.setdefault(pair, Counter())[preferred] += 1
        return [counted(*pair, votes) for pair, votes in found.items()]

    def _entries(self) -> list[dict[str, Any]]:
        try:
            with open_regular(self.file) as file:
                lines = file.read(_LONGEST).splitlines()
        except (OSError, UserError):
            return []
        entries = []
        for line in lines:
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):  # somebody's edit: the other votes count
                continue
            if isinstance(entry, dict):
                entries.append(entry)
        return entries

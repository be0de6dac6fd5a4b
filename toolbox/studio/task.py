"""One picture or film through one network: how it stands, and what the page is told of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolbox.studio.models import Model
from toolbox.studio.pictures import Upload
from toolbox.studio.settings import Settings

ENDED = ("done", "failed", "stopped")


@dataclass(eq=False)
class Task:
    """One picture or film, one model, one way to apply it."""

    id: str
    tab: str
    upload: Upload
    model: Model
    settings: Settings
    target: Path
    state: str = "waiting"
    part: float = 0.0
    said: str = ""
    """How far a film is, in words."""
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False
    runs: int = 0
    """How often it was begun: a film that goes on is begun again."""
    kept: int = 0
    """Frames of a film that was stopped, or has failed, that are not made again."""
    told: int = 0
    """How often it has changed: an answer and the stream of changes come by two ways, and the later one counts."""
    hidden: bool = False
    """Whether it belongs to a comparison that must not tell which model it is of."""

    @property
    def name(self) -> str:
        """What the result is called when it is downloaded."""
        stem = Path(self.upload.name).stem
        return f"{stem}_{self.model.name.replace('/', '_')}{self.target.suffix}"

    @property
    def order(self) -> str:
        """What the worker calls its latest run: a stop that comes late must not end the next one."""
        return self.id if self.runs < 2 else f"{self.id}-{self.runs}"

    def shown(self) -> dict[str, Any]:
        """What the page needs to know."""
        names = ("width", "height", "seconds", "loading", "scale", "tile")
        return {
            "id": self.id, "picture": self.upload.id, "model": self.model.id, "state": self.state,
            "part": round(self.part, 4), "notes": self.notes, "problem": self.problem, "name": self.name,
            "command": self.settings.command(self.model, self.upload.name, film=self.upload.film is not None),
            "said": self.said, "told": self.told, "kept": self.kept, "film": self.film(),
            "chosen": dict(self.settings.shown or {}),
            **{key: self.result.get(key) for key in names},
        }  # fmt: skip

    def film(self) -> dict[str, Any] | None:
        """What the page needs to know of a film that is done."""
        if self.upload.film is None or self.state != "done":
            return None
        plays = self.result["plays"] or "target" in self.result["previews"]
        return {"plays": plays, **{name: self.result[name] for name in ("frames", "rate")},
                "seconds": self.result["length"]}  # fmt: skip

    @property
    def poster(self) -> Path:
        """The first frame of a film's result."""
        return self.target.parent / "target.poster.jpg"

"""What can be chosen when films pass a network."""

from __future__ import annotations

from dataclasses import dataclass

from toolbox.io.errors import UserError, did_you_mean
from toolbox.video.codecs import CODECS
from toolbox.video.encoding import check_choice

DAMAGED = ("replace", "stop")
PREVIEW = 10.0
"""Seconds of a preview."""
TEMPORAL = 0.5
"""How much of the frame before is blended in, where nobody says."""


@dataclass(frozen=True)
class Settings:
    """How films are read, steadied and written.

    Args:
        codec: a name of `toolbox.video.codecs.CODECS`; None: the film's own, or one that loses none of its bits.
        container: `mp4`, `mkv`, …, or `frames` for a folder of pictures; None: the film's own.
        crf, preset: the encoder's quality and speed; None: the codec's usual ones.
        first, last: seconds from the film's beginning; None: all of it.
        preview: ten seconds alone, the film on the left and its result on the right.
        temporal: how much of the frame before is blended in against flicker, from 0 to 1.
        damaged: whether a damaged frame is replaced by its neighbour, or ends the run.
        drop_hdr: leave out what the codec cannot hold of an HDR film.
        rate: frames a second of a film that is made of numbered pictures.
    """

    codec: str | None = None
    container: str | None = None
    crf: float | None = None
    preset: str | None = None
    first: float | None = None
    last: float | None = None
    preview: bool = False
    temporal: float = TEMPORAL
    damaged: str = "replace"
    drop_hdr: bool = False
    rate: float = 24.0

    def __post_init__(self) -> None:
        if self.codec is not None and self.codec not in CODECS:
            raise UserError(f"--codec {self.codec}: is unknown{did_you_mean(self.codec, CODECS)}")
        if self.codec is not None:
            check_choice(CODECS[self.codec], self.crf, self.preset)
        if self.damaged not in DAMAGED:
            raise UserError(f"--damaged {self.damaged}: is unknown{did_you_mean(self.damaged, DAMAGED)}")
        if not 0 <= self.temporal <= 1:
            raise UserError(f"--temporal {self.temporal:g}: must be from 0 to 1")
        if not 0 < self.rate <= 1000:
            raise UserError(f"--rate {self.rate:g}: must be more than 0, and 1000 frames a second at most")
        for flag, value in (("--from", self.first), ("--to", self.last)):
            if value is not None and not 0 <= value < 1e7:
                raise UserError(f"{flag} {value:g}: must be 0 seconds or more")
        if self.last is not None and self.last <= (self.first or 0):
            raise UserError(f"--to {self.last:g}: must be after --from {self.first or 0:g}")

    @property
    def part(self) -> tuple[float | None, float | None]:
        """The first and the last second that are read."""
        if not self.preview:
            return self.first, self.last
        end = (self.first or 0) + PREVIEW
        return self.first, end if self.last is None else min(end, self.last)

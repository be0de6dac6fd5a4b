"""Uploaded films: their limits, and what a process apart tells of one, so that no decoder runs in the server."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolbox.io.apart import apart
from toolbox.io.errors import UserError

MOST_BYTES = 1 << 30
"""Of one film."""
MOST_SECONDS, MOST_FRAMES = 600, 36_000
"""How long a film may be."""
FRAME_PIXELS = 40_000_000
"""Of one frame of a result."""
WORKING = 12 * 3_600.0
"""Seconds that one film may take."""
_PATIENCE = 60.0
"""Seconds that looking at a film may take."""
PLAYED = {
    "h264": (".mp4", ".m4v", ".mov"),
    "vp8": (".webm",),
    "vp9": (".webm", ".mp4"),
    "av1": (".webm", ".mp4"),
}
"""Codecs that browsers play, of 8 bits and 4:2:0, in which files."""
_PLAIN = ("yuv420p", "yuvj420p")
TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm"}


@dataclass(frozen=True)
class FilmFacts:
    """A film's upright size, frames and seconds (about; None where the file does not say), and frames a second."""

    width: int
    height: int
    frames: int | None
    seconds: float | None
    rate: float
    codec: str
    pixel_format: str

    def plays(self, file: Path) -> bool:
        """Whether browsers play it as it is."""
        return self.pixel_format in _PLAIN and file.suffix.lower() in PLAYED.get(self.codec, ())

    def shown(self) -> dict[str, Any]:
        """What the page needs to know."""
        return {"frames": self.frames, "seconds": self.seconds, "rate": self.rate}


async def look(file: Path, shown: str, poster: Path, max_pixels: int) -> FilmFacts:
    """What a film is, and its first frame as a picture, by a process that ends when it has told.

    Raises:
        UserError: it is no film that can be read, or is too long.
    """
    process = await asyncio.create_subprocess_exec(
        *apart("toolbox.studio.film_process", str(file), str(poster), str(max_pixels)),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
        found = json.loads(said)
    except (TimeoutError, asyncio.TimeoutError):
        raise UserError(f"{shown}: looking at this film takes too long") from None
    except ValueError:  # its decoder crashed
        raise UserError(f"{shown}: cannot be read as a film") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if "problem" in found:
        raise UserError(found["problem"].replace(str(file), shown).replace(file.name, shown))
    facts = FilmFacts(**found)
    refuse_long(shown, facts.seconds, facts.frames)
    return facts


def refuse_long(name: str, seconds: float | None, frames: int | None) -> None:
    """Refuse a film that is too long. Raises UserError."""
    way = "cut it, or use `infer` for it"
    if seconds is not None and seconds > MOST_SECONDS:
        raise UserError(f"{name}: takes {seconds / 60:.1f} minutes, and {MOST_SECONDS // 60} are the most; {way}")
    if frames is not None and frames > MOST_FRAMES:
        raise UserError(f"{name}: has {frames:,} frames, and {MOST_FRAMES:,} are the most; {way}")

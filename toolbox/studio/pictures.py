"""Uploads, pictures and films: files of our own names in the private folder; the name they came with is only shown."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolbox.inference.header import Header, read_header
from toolbox.io.errors import UserError
from toolbox.io.search import COMMON, SUFFIXES, way_to_convert
from toolbox.studio import films
from toolbox.studio.films import FilmFacts
from toolbox.studio.shown import needs_preview
from toolbox.video.opening import SUFFIXES as FILMS

MOST_PIXELS = 100_000_000
"""Of one picture, whatever its sides are."""
MOST_BYTES = 256 << 20
"""Of one picture's file."""
ALL_BYTES = 4 << 30
"""Of all that is kept at a time."""
MOST = 2_000
"""Pictures and films that are kept at a time."""
AT_ONCE = 8
"""Uploads that are read at a time; others wait their turn."""
SILENCE = 30.0
"""Seconds after which an upload that sends nothing is given up."""
_ODD = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u202a-\u202e\u2066-\u2069]')


@dataclass
class Upload:
    """A picture or a film: its id, the name to show, its file, and what its header says."""

    id: str
    tab: str
    name: str
    file: Path
    header: Header | FilmFacts
    size: int

    @property
    def film(self) -> FilmFacts | None:
        """What a film is; None of a picture."""
        return self.header if isinstance(self.header, FilmFacts) else None

    @property
    def showable(self) -> bool:
        """Whether browsers show the file as it is."""
        return self.film.plays(self.file) if self.film else not needs_preview(self.file)

    @property
    def poster(self) -> Path:
        """A film's first frame."""
        return self.file.with_name(f"{self.id}.poster.jpg")

    @property
    def preview(self) -> Path:
        """Where a film lies that browsers play in this one's stead."""
        return self.file.with_name(f"{self.id}.preview.mp4")

    def shown(self) -> dict[str, Any]:
        """What the page needs to know."""
        sides = {"width": self.header.width, "height": self.header.height, "frames": self.header.frames}
        film = self.film.shown() if self.film else None
        return {"id": self.id, "name": self.name, "bytes": self.size, "showable": self.showable, "film": film, **sides}


class Pictures:
    """All uploads of a studio."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: dict[str, Upload] = {}
        self.coming = 0
        """Bytes of uploads that are being read."""
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def take(self, tab: str, name: str, parts: AsyncIterator[bytes]) -> Upload:
        """Keep a picture, or a film, that comes in parts.

        Raises:
            UserError: it is too large or too long, no picture, of a kind that is not read, or there are too many.
            ConnectionError: the sender went away, or fell silent; nothing is left of it.
        """
        shown = plain_name(name)
        suffix = Path(shown).suffix.lower()
        film = suffix in FILMS
        if suffix not in SUFFIXES and not film:
            way = way_to_convert(Path(shown))
            raise UserError(f"{shown}: is no picture that is read here ({way or COMMON})")
        if len(self.kept) >= MOST:
            raise UserError(f"there are {MOST:,} pictures already; remove some first")
        made = secrets.token_hex(8)
        file = self.folder / f"{made}{suffix}"
        async with self._turns:
            try:
                size = await self._write(file, shown, parts, films.MOST_BYTES if film else MOST_BYTES)
                header = await self._header(file, shown, made, film)
            except BaseException:
                _gone(file.parent, made)
                raise
        upload = Upload(made, tab, shown, file, header, size)
        self.kept[made] = upload
        return upload

    async def _header(self, file: Path, shown: str, made: str, film: bool) -> Header | FilmFacts:
        if not film:
            return await asyncio.to_thread(_header, file, shown)
        return await films.look(file, shown, file.with_name(f"{made}.poster.jpg"), MOST_PIXELS)

    async def _write(self, file: Path, shown: str, parts: AsyncIterator[bytes], most: int) -> int:
        size = 0
        try:
            with open(file, "xb") as opened:
                async for part in parts:
                    size += len(part)
                    self.coming += len(part)
                    if size > most:
                        raise UserError(f"{shown}: has more than {most >> 20} MB; use `infer` for it")
                    if self.bytes() > ALL_BYTES:
                        raise UserError(f"all pictures together have more than {ALL_BYTES >> 30} GB; remove some first")
                    await asyncio.to_thread(opened.write, part)
        finally:
            self.coming -= size
        return size

    def bytes(self) -> int:
        """What is kept, and what is coming."""
        return self.coming + sum(each.size for each in self.kept.values())

    def get(self, name: Any, tab: str) -> Upload:
        """A tab's picture by its id. Raises UserError where there is none."""
        found = self.kept.get(name) if isinstance(name, str) else None
        if found is None or found.tab != tab:
            raise UserError("there is no such picture any more")
        return found

    def of(self, tab: str) -> list[Upload]:
        """All pictures of a tab."""
        return [each for each in self.kept.values() if each.tab == tab]

    def remove(self, upload: Upload) -> None:
        """Forget a picture, and its file."""
        self.kept.pop(upload.id, None)
        _gone(self.folder, upload.id)


def _gone(folder: Path, made: str) -> None:
    """Remove an upload's file, and what was made beside it."""
    for file in folder.glob(f"{made}.*"):
        with suppress(OSError):
            file.unlink()


def plain_name(name: str) -> str:
    """A name as it may be shown and given to a download: its last part, without what means something to a system."""
    last = re.split(r"[/\\]", name)[-1]
    clean = _ODD.sub("_", last.encode("utf-8", "replace").decode()).strip(". ")
    stem, dot, suffix = clean.rpartition(".")
    kept = f"{stem[:100]}{dot}{suffix[:10]}" if stem else clean[:110]
    return kept or "picture"


def _header(file: Path, shown: str) -> Header:
    try:
        header = read_header(file, max_pixels=MOST_PIXELS)
    except UserError as error:
        raise UserError(str(error).replace(str(file), shown).replace(file.name, shown)) from None
    except (OSError, ValueError, RuntimeError, MemoryError, TypeError, LookupError) as error:
        raise UserError(f"{shown}: cannot be read ({' '.join(str(error).split())[:120]})") from None
    return header

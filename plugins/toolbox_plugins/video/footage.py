"""Footage by frame numbers: a film's file, or a folder of numbered pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from toolbox import UserError, image_size, images_at, read_image
from toolbox.io.raw_cache import RawCache
from toolbox.video.colours import colours_of, to_array
from toolbox.video.opening import SUFFIXES, failures, opened, pictures_of, reason_of
from toolbox.video.turning import turn_of

PROBE = 24
"""Frames by which it is seen whether a film's time stamps can be relied on."""


class Footage(Protocol):
    """Frames in order, which can be read by their numbers."""

    path: Path
    count: int
    size: tuple[int, int]
    """Height and width."""

    def read(self, numbers: Sequence[int]) -> np.ndarray:
        """The frames of ascending numbers, (T, H, W, 3) uint8 in RGB."""
        ...

    def files(self) -> list[Path]:
        """What it is read from."""
        ...


class FrameFolder:
    """The pictures that lie in one folder, in the order of the numbers in their names: `frame_%05d.png`.

    With `cache` each is decoded once for all runs, as in `ImageFolder`.
    """

    def __init__(self, path: Path, pictures: Sequence[Path], cache: bool = False) -> None:
        self.path, self.pictures = path, sorted(pictures, key=in_order)
        self.count, self.size = len(self.pictures), image_size(self.pictures[0])
        self.cache = RawCache(self.pictures, path) if cache else None
        if self.cache is not None:
            self.cache.prepare()

    def read(self, numbers: Sequence[int]) -> np.ndarray:
        """The frames of these numbers, (T, H, W, 3) uint8."""
        frames = [self.cache.read(n) if self.cache is not None else read_image(self.pictures[n]) for n in numbers]
        for number, frame in zip(numbers, frames, strict=True):
            if frame.shape[:2] != self.size:
                first = "x".join(map(str, self.size))
                here = "x".join(map(str, frame.shape[:2]))
                raise UserError(f"{self.pictures[number]}: is {here}, and the first frame of its folder {first}")
        return np.stack(frames)

    def files(self) -> list[Path]:
        """The pictures."""
        return self.pictures


class Film:
    """A film's frames by their numbers, counted from 0 in the order in which they are shown.

    Time stamps are read once, without decoding. To read frames, decoding starts at the last point before them from
    which it can, and they are known by their time stamps; so a frame is the same wherever reading begins. Where the
    first frames' stamps are not those of the file's packets (AVI has none of its own), frames are counted from the
    film's beginning instead, which takes as long as they are many.

    Raises:
        UserError: PyAV is not installed, or the file is no film, or none of it can be decoded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with opened(path) as container, explained(path):
            packets = [each for each in container.demux(pictures_of(container, path)) if each.size]
            stamps = [each.pts for each in packets if not each.is_discard]
        self.times = sorted({each for each in stamps if each is not None})
        with self.frames() as frames:
            shown = list(islice(frames, PROBE))
        if not shown:
            raise UserError(f"{path}: none of its frames can be decoded")
        self.size: tuple[int, int] = pixels(shown[0]).shape[:2]
        self.stamped = len(self.times) == len(stamps) and [each.pts for each in shown] == self.times[: len(shown)]
        self.count = len(self.times)
        if not self.stamped:
            with self.frames() as frames:
                self.count = sum(1 for _ in frames)

    def read(self, numbers: Sequence[int]) -> np.ndarray:
        """The frames of these numbers, ascending, (T, H, W, 3) uint8."""
        wanted = [self.times[number] if self.stamped else number for number in numbers]
        found = self.found(wanted, wanted[0]) if self.stamped else {}
        if len(found) < len(wanted):  # an index that leads astray, or none
            found = self.found(wanted, None)
        for number, key in zip(numbers, wanted, strict=True):
            if key not in found:
                raise UserError(f"{self.path}: frame {number} cannot be decoded")
        return np.stack([found[key] for key in wanted])

    def found(self, wanted: Sequence[int], since: int | None) -> dict[int, np.ndarray]:
        """Frames by time stamp, or by number where there are none, decoded from a time stamp on, or from the first."""
        found: dict[int, np.ndarray] = {}
        with self.frames(since) as frames:
            for place, frame in enumerate(frames):
                key = frame.pts if self.stamped else place
                if key in wanted:
                    found[key] = pixels(frame)
                if key is not None and key >= wanted[-1]:
                    break
        return found

    @contextmanager
    def frames(self, since: int | None = None) -> Iterator[Iterator[Any]]:
        """PyAV's frames, from a time stamp or somewhat before on; in one thread, for loaders run side by side."""
        with opened(self.path) as container, explained(self.path):
            stream = pictures_of(container, self.path)
            stream.thread_type, stream.codec_context.thread_count = "NONE", 1
            if since is not None:
                container.seek(since, stream=stream, backward=True)
            yield container.decode(stream)

    def files(self) -> list[Path]:
        """The film."""
        return [self.path]


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What PyAV raises within, as a UserError that names the film."""
    try:
        yield
    except (OSError, *failures()) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: cannot be decoded ({reason_of(error)})") from None


def pixels(frame: Any) -> np.ndarray:
    """PyAV's frame upright, (H, W, 3) uint8 in RGB."""
    made = to_array(frame, colours_of(frame, frame.height), deep=False, alpha=False)
    return np.ascontiguousarray(turn_of(frame)(made))


def footage_at(root: Path, *, cache: bool = False) -> list[Footage]:
    """The films, and folders of frames, at or below a path, in the order of their paths.

    Raises:
        UserError: there is nothing there.
    """
    if root.is_file():
        return [Film(root)]
    if not root.is_dir():
        raise UserError(f"{root}: there is no such film or folder")
    films = sorted(each for each in root.rglob("*") if each.suffix.lower() in SUFFIXES and each.is_file())
    folders: dict[Path, list[Path]] = {}
    try:
        for picture in images_at(root):
            folders.setdefault(picture.parent, []).append(picture)
    except UserError:  # no pictures
        if not films:
            raise UserError(f"{root}: holds neither films nor folders of frames") from None
    found: list[Footage] = [FrameFolder(folder, pictures, cache) for folder, pictures in folders.items()]
    found += [Film(film) for film in films]
    return sorted(found, key=lambda each: each.path.as_posix())


def in_order(path: Path) -> list[Any]:
    """A key by which `frame_9.png` comes before `frame_10.png`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]

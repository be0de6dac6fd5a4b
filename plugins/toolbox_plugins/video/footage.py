"""Footage by frame numbers: a film's file, or a folder of numbered pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from toolbox import UserError, image_size, images_at, read_image
from toolbox.io.raw_cache import RawCache

SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".y4m", ".ogv", ".flv")
"""Films that folders are searched for. A file that is named may have any suffix."""


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
    which it can, and they are known by their time stamps; so a frame is the same wherever reading begins.
    """

    def __init__(self, path: Path) -> None:
        self.path, av = path, pyav()
        try:
            with av.open(str(path)) as container:
                stream = _pictures(container, path)
                packets = (packet for packet in container.demux(stream) if packet.size and packet.pts is not None)
                self.times = sorted({packet.pts for packet in packets if not packet.is_discard})
                self.size = (stream.height, stream.width)
        except av.FFmpegError as error:
            raise UserError(f"{path}: cannot be read as a film ({error.strerror})") from None
        if not self.times:
            raise UserError(f"{path}: holds no frames with time stamps; take its frames apart into a folder")
        self.count = len(self.times)

    def read(self, numbers: Sequence[int]) -> np.ndarray:
        """The frames of these numbers, (T, H, W, 3) uint8."""
        av, wanted = pyav(), [self.times[number] for number in numbers]
        found: dict[int, np.ndarray] = {}
        try:
            with av.open(str(self.path)) as container:
                stream = _pictures(container, self.path)
                container.seek(wanted[0], stream=stream, backward=True)
                for frame in container.decode(stream):
                    if frame.pts in wanted:
                        found[frame.pts] = frame.to_ndarray(format="rgb24")
                    if frame.pts is not None and frame.pts >= wanted[-1]:
                        break
        except av.FFmpegError as error:
            raise UserError(f"{self.path}: frame {numbers[0]} cannot be decoded ({error.strerror})") from None
        missing = [number for number, time in zip(numbers, wanted, strict=True) if time not in found]
        if missing:
            raise UserError(f"{self.path}: frame {missing[0]} cannot be decoded")
        return np.stack([found[time] for time in wanted])

    def files(self) -> list[Path]:
        """The film."""
        return [self.path]


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


def pyav() -> Any:
    """The module `av`; UserError where it is not installed."""
    try:
        import av
    except ImportError:
        raise UserError("films need PyAV; install it with pip install 'gan-toolbox[video]'") from None
    return av


def _pictures(container: Any, path: Path) -> Any:
    if not container.streams.video:
        raise UserError(f"{path}: holds no pictures")
    stream = container.streams.video[0]
    stream.thread_count = 1  # loaders run side by side
    return stream

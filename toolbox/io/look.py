"""What a folder of pictures holds, from the headers of its files: sizes, kinds, exact copies, what cannot be used."""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from toolbox.io.errors import UserError
from toolbox.io.files import file_hash, open_regular
from toolbox.io.images import image_size, naming, open_safely, read_image
from toolbox.io.search import Found, nothing_in, search

_THREADS = 8
_SHOWN = 3


@dataclass
class Look:
    """What was seen of the pictures below a folder, or of one picture."""

    root: Path
    paths: list[Path] = field(default_factory=list)
    """All of them, in the order in which datasets number them."""
    sizes: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Height and width of those that can be used."""
    unusable: dict[Path, str] = field(default_factory=dict)
    """Why others cannot: damaged, of 16 bits, or no picture at all."""
    gray: set[Path] = field(default_factory=set)
    transparent: set[Path] = field(default_factory=set)
    copies: list[Path] = field(default_factory=list)
    """Pictures whose bytes are those of one before them."""
    notes: list[str] = field(default_factory=list)
    """What was passed over besides."""

    @property
    def short_sides(self) -> list[int]:
        """The shorter side of each usable picture, in pixels, sorted."""
        return sorted(min(size) for size in self.sizes.values())

    def told(self) -> list[str]:
        """What a person wants to know, in a few lines."""
        count, sizes = len(self.sizes), sorted(self.sizes.values(), key=lambda size: (size[0] * size[1], size))
        kinds = Counter(path.suffix.lower().removeprefix(".") for path in self.sizes)
        line = f"{self.root}: {counted(count, 'picture')} ({', '.join(f'{n:,} {k}' for k, n in kinds.most_common(4))})"
        if sizes:
            (low, high), spread = (sizes[0], sizes[-1]), len(set(sizes))
            line += f", {low[1]}x{low[0]}" + (f" to {high[1]}x{high[0]}, {spread:,} sizes" if spread > 1 else "")
        line += f", {len(self.gray):,} gray" * bool(self.gray)
        lines = [line + f", {len(self.transparent):,} with transparency, which is dropped" * bool(self.transparent)]
        if self.copies:
            first = _shown(self.copies, self.root)
            lines.append(f"{counted(len(self.copies), 'exact copy', 'exact copies')} of others: {first}")
        if self.unusable:
            path, reason = next(iter(self.unusable.items()))
            more = f" (and {len(self.unusable) - 1:,} more)" if len(self.unusable) > 1 else ""
            lines.append(f"{len(self.unusable):,} cannot be used: {path.name}: {reason}{more}")
        return lines + self.notes


def look(root: Path) -> Look:
    """Look at every picture below a folder, or at the one that `root` is; thousands of them take seconds.

    Raises:
        UserError: there is no such folder, or it holds no picture, or none that can be used.
    """
    found = Found(root, [root]) if root.is_file() else search(root)
    if not found.images:
        raise nothing_in(found)
    seen = Look(root, found.images, notes=found.notes() if root.is_dir() else [])
    with ThreadPoolExecutor(_THREADS) as pool:
        for path, header in zip(seen.paths, pool.map(_header, seen.paths), strict=True):
            if isinstance(header, str):
                seen.unusable[path] = header
                continue
            seen.sizes[path], mode = header
            if mode in ("1", "L", "LA"):
                seen.gray.add(path)
            if mode in ("LA", "RGBA", "PA"):
                seen.transparent.add(path)
    if not seen.sizes:
        path, reason = next(iter(seen.unusable.items()))
        raise UserError(f"{root}: none of {counted(len(seen.paths), 'picture')} can be used: {path.name}: {reason}")
    seen.copies = exact_copies(list(seen.sizes))
    return seen


def decode(seen: Look, seconds: float = 4.0) -> int:
    """Decode pictures for so many seconds, and note those that prove damaged; returns how many were decoded."""
    until, done = time.monotonic() + seconds, 0
    paths = list(seen.sizes)
    with ThreadPoolExecutor(_THREADS) as pool:
        while done < len(paths) and time.monotonic() < until:
            some = paths[done : done + 4 * _THREADS]
            for path, reason in zip(some, pool.map(_damage, some), strict=True):
                if reason:
                    seen.unusable[path] = reason
                    del seen.sizes[path]
            done += len(some)
    if not seen.sizes:
        path, reason = next(iter(seen.unusable.items()))
        raise UserError(f"{seen.root}: none of {len(seen.paths):,} pictures can be used: {path.name}: {reason}")
    return done


def exact_copies(paths: Sequence[Path]) -> list[Path]:
    """The files whose bytes are those of an earlier one; only files of equal length are read, and links never."""
    of_length: dict[int, list[Path]] = defaultdict(list)
    files: dict[tuple[int, int], Path] = {}
    copies = []
    for path in paths:
        about = os.stat(path)
        if (about.st_dev, about.st_ino) in files:
            copies.append(path)
        else:
            files[about.st_dev, about.st_ino] = path
            of_length[about.st_size].append(path)
    for alike in of_length.values():
        known: set[str] = set()
        for path in alike if len(alike) > 1 else ():
            content = file_hash(path)
            if content in known:
                copies.append(path)
            known.add(content)
    return copies


def counted(number: int, one: str, several: str = "") -> str:
    """`1 picture`, `1,200 pictures`."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def _header(path: Path) -> tuple[tuple[int, int], str] | str:
    """Size and mode of a picture, or why it cannot be used."""
    try:
        size = image_size(path)
        with naming(path), open_regular(path) as file, open_safely(file) as image:
            return size, _mode(image)
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")


def _damage(path: Path) -> str:
    """Why a picture cannot be decoded; nothing where it can."""
    try:
        read_image(path)
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


def _mode(image: Image.Image) -> str:
    """Pillow's mode, where `PA` is any palette with transparency."""
    return "PA" if image.mode == "P" and "transparency" in image.info else image.mode


def _shown(paths: Sequence[Path], root: Path) -> str:
    names = [path.relative_to(root).as_posix() if path != root else path.name for path in paths[:_SHOWN]]
    return ", ".join(names) + f" and {len(paths) - _SHOWN:,} more" * (len(paths) > _SHOWN)

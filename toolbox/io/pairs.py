"""Which pictures of a folder belong together: by marks in their names, in two folders, or side by side in one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from toolbox.io.errors import UserError
from toolbox.io.images import read_image
from toolbox.io.look import Look

MARKS = [
    *((f"{dash}{low}", f"{dash}{high}") for dash in "_-" for low, high in (("LR", "HR"), ("lr", "hr"), ("LQ", "GT"),
      ("lq", "gt"), ("low", "high"), ("input", "target"), ("noisy", "clean"), ("blur", "sharp"), ("before", "after"),
      ("A", "B"), ("a", "b"))),
    *((f"{dash}x{scale}", "") for dash in ("_", "-", "") for scale in (2, 3, 4, 8)),
]  # fmt: skip
"""What ends the names of inputs and of their targets, without the file's type."""
_INPUTS = ("lr", "lq", "low", "input", "source", "noisy", "blur", "damaged", "before", "old", "small", "a", "train_a")
_TARGETS = ("hr", "hq", "gt", "high", "target", "clean", "sharp", "good", "after", "new", "large", "b", "train_b")
_ENOUGH = 0.9
"""The share of a folder's pictures that must have a partner."""
_LOOKED_AT = 6
_ALIKE = 0.4
"""How far outlines of two pictures that show the same agree, as a correlation, in the median of six.

Of 40 photographs the halves of six, at random, came to 0.26 at the most, 0.08 in the median; a photograph and the same
in other colours to 0.81."""


@dataclass(frozen=True)
class Pairs:
    """Inputs and targets: the folder and the mark of each, or both in one file, from the left."""

    inputs: Path
    targets: Path
    marks: tuple[str, str] = ("", "")
    beside: bool = False
    names: list[tuple[Path, Path]] = field(default_factory=list)
    """Each pair's files, the same one twice where they lie side by side."""

    def told(self) -> str:
        """How they are known."""
        count = f"{len(self.names):,} pairs"
        if self.beside:
            return f"{count}, side by side in one file; the left half becomes the right"
        if self.inputs == self.targets:
            return f"{count}, names that end in {self.marks[0]!r} and {self.marks[1]!r}"
        mark = f", marked {self.marks[0]!r}" if self.marks[0] else ""
        return f"{count}, {self.inputs.name}{mark} and {self.targets.name}"


def pairs_in(seen: Look, style: Look | None = None) -> Pairs | None:
    """The pairs that a folder holds, or that it makes with a second folder; None where pictures stand alone."""
    if style is not None:
        return _two_folders(seen.root, style.root, seen.paths, style.paths, ask=True) if style.root.is_dir() else None
    if seen.root.is_file():
        return None
    found = _in_one_folder(seen)
    if found is None and len(parts := _folders(seen)) == 2:
        low, high = sorted(parts, key=lambda folder: (_order(folder.name), _area(seen, folder), folder.name))
        lows, highs = ([path for path in seen.paths if path.is_relative_to(each)] for each in (low, high))
        found = _two_folders(low, high, lows, highs, ask=False)
    return found or _side_by_side(seen)


def scale_of(pairs: Pairs, sizes: Mapping[Path, tuple[int, int]]) -> int:
    """By how much the targets are larger than the inputs.

    Raises:
        UserError: not by one whole factor.
    """
    if pairs.beside:
        return 1
    factors = set()
    for low, high in pairs.names:
        if low not in sizes or high not in sizes:  # damaged, which is told elsewhere
            continue
        (h, w), (height, width) = sizes[low], sizes[high]
        if height % h or width % w or height // h != width // w:
            raise UserError(f"{high}: {width}x{height} is no whole multiple of its partner's {w}x{h} ({low.name})")
        factors.add(height // h)
    if not factors:
        raise UserError(f"{pairs.targets}: no pair can be used")
    if len(factors) > 1:
        raise UserError(f"{pairs.targets}: targets are {' and '.join(map(str, sorted(factors)))} times their inputs")
    return factors.pop()


def outlines_agree(first: np.ndarray, second: np.ndarray) -> float:
    """The correlation of the outlines of two pictures (H, W, 3) uint8, at 64x64: near 1 where they show the same."""
    outlines = []
    for image in (first, second):
        small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (64, 64), interpolation=cv2.INTER_AREA)
        smooth = cv2.GaussianBlur(small.astype(np.float32), (0, 0), 1.0)
        across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
        strength = np.hypot(across, down).ravel()
        outlines.append(strength - strength.mean())
    a, b = outlines
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else 0.0


def _in_one_folder(seen: Look) -> Pairs | None:
    """Pairs by marks in one folder, whatever folders are below it."""
    stems = {path.relative_to(seen.root).with_suffix("").as_posix(): path for path in seen.paths}
    for low, high in MARKS:
        names = [(path, stems[stem.removesuffix(low) + high]) for stem, path in stems.items()
                 if stem.endswith(low) and stem.removesuffix(low) + high in stems]  # fmt: skip
        if names and 2 * len(names) == len(stems):
            return Pairs(seen.root, seen.root, (low, high), names=names)
        if 2 * len(names) >= _ENOUGH * len(stems):  # datasets refuse what has no partner
            paired = {path for pair in names for path in pair}
            alone = next(path for path in stems.values() if path not in paired)
            raise UserError(f"{alone}: has no partner, and the others are pairs ({low}, {high}); remove it")
    return None


def _two_folders(low: Path, high: Path, lows: Iterable[Path], highs: Iterable[Path], *, ask: bool) -> Pairs | None:
    """Pairs by equal names in two folders, or names that the inputs alone mark; `ask` looks at some of them."""
    inputs, targets = ({path.relative_to(root).with_suffix("").as_posix(): path for path in paths}
                       for root, paths in ((low, lows), (high, highs)))  # fmt: skip
    for mark in ("", *(mark for mark, other in MARKS if not other)):
        names = [(path, targets[stem.removesuffix(mark)]) for stem, path in inputs.items()
                 if stem.endswith(mark) and stem.removesuffix(mark) in targets]  # fmt: skip
        if names and len(names) == len(inputs) == len(targets):
            agree = not ask or _agree((read_image(a), read_image(b)) for a, b in _some(names))
            return Pairs(low, high, (mark, ""), names=names) if agree else None
    return None


def _side_by_side(seen: Look) -> Pairs | None:
    """Pictures twice as wide as high, or near it, whose halves show the same."""
    halves = [path for path, (height, width) in seen.sizes.items() if width % 2 == 0 and width >= 1.5 * height]
    if len(halves) < _ENOUGH * len(seen.sizes) or len(halves) < len(seen.paths):
        return None
    pictures = (read_image(path) for path, _ in _some([(path, path) for path in halves]))
    if not _agree((image[:, : image.shape[1] // 2], image[:, image.shape[1] // 2 :]) for image in pictures):
        return None
    return Pairs(seen.root, seen.root, beside=True, names=[(path, path) for path in halves])


def _agree(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> bool:
    return median(outlines_agree(first, second) for first, second in pairs) > _ALIKE


def _some(names: list[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    return names[:: max(1, len(names) // _LOOKED_AT)][:_LOOKED_AT]


def _folders(seen: Look) -> dict[Path, int]:
    """The folders right below the root that pictures lie in, numbered."""
    tops = dict.fromkeys(seen.root / path.relative_to(seen.root).parts[0] for path in seen.sizes)
    return {folder: number for number, folder in enumerate(tops) if folder.is_dir()} if len(tops) == 2 else {}


def _order(name: str) -> int:
    """Inputs first, targets last, as folders are mostly called."""
    return -1 if name.lower() in _INPUTS else int(name.lower() in _TARGETS)


def _area(seen: Look, folder: Path) -> int:
    return min(h * w for path, (h, w) in seen.sizes.items() if path.is_relative_to(folder))

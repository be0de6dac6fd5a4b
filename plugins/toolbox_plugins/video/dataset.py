"""Clips out of films: some frames in a row, anywhere in time, cropped in space by transforms."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from toolbox import ImageDataset, Sizes, Transform, UserError
from toolbox.io.search import place
from toolbox_plugins.datasets.folder import sizes_after, transformed

from .footage import Footage, footage_at

SEEN = 32
"""Pixels of a frame's longer side, at most, by which cuts are looked for."""


class VideoClips(ImageDataset):
    """`frames` frames in a row of the films and frame folders below `root`, under the name `key`: (T, H, W, 3) uint8.

    A film is any file that PyAV reads (`pip install gan-toolbox[video]`), a frame folder one with pictures in it, in
    the order of the numbers in their names. An epoch has as many clips as the footage holds side by side; where each
    lies within its film is drawn anew, unless `anywhere` is false, which an evaluation wants. `transforms` change all
    frames of a clip alike: `RandomCrop`, `RandomFlip`.

    A clip from anywhere does not cross a cut: from the longer side of one it goes on backwards.

    Args:
        root: a film, a folder, or a list of them.
        frames: of a clip.
        stride: every so manieth frame is taken, so that more moves in a clip.
        anywhere: whether clips begin at random places; or side by side from the first frame.
        backwards: the probability that a clip runs backwards.
        cut: how much of black to white two frames must differ on average to be two scenes; 1 for never.
        cache: decode pictures of folders once for all runs, as in `ImageFolder`. Films are decoded each time.

    Raises:
        UserError: an argument is out of range, or a film has fewer frames than a clip needs.
    """

    def __init__(
        self,
        *,
        root: str | list[str],
        key: str = "hr",
        frames: int = 7,
        stride: int = 1,
        anywhere: bool = True,
        backwards: float = 0.0,
        cut: float = 0.15,
        transforms: list[Transform] | None = None,
        cache: bool = False,
    ) -> None:
        if frames < 2 or stride < 1:
            raise UserError(f"frames must be 2 or more and stride 1 or more, got {frames} and {stride}")
        for name, value in (("backwards", backwards), ("cut", cut)):
            if not 0 <= value <= 1:
                raise UserError(f"{name} must be from 0 to 1, got {value}")
        self.key, self.frames, self.stride, self.anywhere = key, frames, stride, anywhere
        self.backwards, self.cut, self.transforms = backwards, cut, transforms or []
        self.roots = [place(each) for each in ([root] if isinstance(root, str) else root)]
        self.footage: list[Footage] = []
        self.names: list[str] = []
        for number, folder in enumerate(self.roots):
            for each in footage_at(folder, cache=cache):
                self.footage.append(each)
                name = each.path.name if each.path == folder else each.path.relative_to(folder).as_posix()
                self.names.append(f"{number + 1}/{name}" if len(self.roots) > 1 else name)
        self.span = (frames - 1) * stride + 1
        for each in self.footage:
            if each.count < self.span:
                raise UserError(f"{each.path}: has {each.count} frames, and a clip needs {self.span}; choose fewer")
        self.places = [(n, part) for n, each in enumerate(self.footage) for part in range(each.count // self.span)]

    def __len__(self) -> int:
        return len(self.places)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return `{key: (frames, H, W, 3) uint8, "name": film and first frame}`, transformed."""
        number, part = self.places[index]
        footage = self.footage[number]
        start = int(rng.integers(footage.count - self.span + 1)) if self.anywhere else part * self.span
        clip = footage.read(range(start, start + self.span, self.stride))
        if self.anywhere:
            clip = within_a_scene(clip, self.cut)
        if rng.random() < self.backwards:
            clip = clip[::-1]
        images = transformed({self.key: clip}, self.transforms, rng, footage.path)
        return {**images, "name": f"{self.names[number]}/{start:05d}"}

    def named_files(self) -> list[tuple[str, Path]]:
        """The films and the frames."""
        found = []
        for name, footage in zip(self.names, self.footage, strict=True):
            files = footage.files()
            found += [(name if file == footage.path else f"{name}/{file.name}", file) for file in files]
        return found

    def sizes_of(self, index: int) -> Sizes | None:
        """The size of a film's frames, transformed."""
        footage = self.footage[self.places[index][0]]
        return sizes_after({self.key: footage.size}, self.transforms, footage.path)


def within_a_scene(clip: np.ndarray, cut: float) -> np.ndarray:
    """A clip (T, H, W, C) uint8 without cuts: the longest scene in it, and where that is short, on backwards.

    Frames that differ by more than `cut` on average, of images in [0, 1], are of two scenes.
    """
    step = max(1, max(clip.shape[1:3]) // SEEN)
    seen = clip[:, ::step, ::step].astype(np.float32) / 255
    jumps = np.abs(np.diff(seen, axis=0)).mean((1, 2, 3)) > cut
    if not jumps.any():
        return clip
    edges = [0, *(np.flatnonzero(jumps) + 1), len(clip)]
    first, last = max(pairwise(edges), key=lambda pair: pair[1] - pair[0])
    return clip[there_and_back(range(first, last), len(clip))]


def there_and_back(places: Sequence[int], count: int) -> list[int]:
    """So many places, forwards and backwards in turn."""
    cycle = [*places, *list(places)[-2:0:-1]]
    return [cycle[number % len(cycle)] for number in range(count)]
